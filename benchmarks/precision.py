"""Effect of the precision: the same short training in each, its test errors and wall time.

    python -m benchmarks.precision                       # N-body and simulated traffic
    python -m benchmarks.precision model=ponita dataset=nbody trainer=quick trainer.max_epochs=12
    python -m benchmarks.precision --precisions 32-true bf16-mixed 64-true --record

The arguments after the options are those of ``train.py``. ``--record`` appends the measurements to
``benchmarks/results/precision.jsonl``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from benchmarks._run import train_py

#: Training runs of a few minutes.
PAIRS = [
    "model=ponita dataset=nbody trainer=quick trainer.max_epochs=8",
    "model=gram_ode dataset=traffic_synthetic trainer=quick trainer.max_epochs=4",
]


def compare(words: list[str], precisions: list[str]) -> dict[str, Any]:
    """Test errors and training time in seconds for each precision."""
    rows = {}
    for precision in precisions:
        with tempfile.TemporaryDirectory() as folder:
            rows[precision] = train_py(
                [*words, f"trainer.precision={precision}"], Path(folder) / "run"
            )
    return {"words": " ".join(words), "precisions": rows}


def table(found: dict[str, Any]) -> Table:
    """One line per precision."""
    first = next(iter(found["precisions"].values()))
    shown = Table("", *first["test"], "seconds of training", title=found["words"])
    for precision, row in found["precisions"].items():
        errors = [f"{value:.5g}" for value in row["test"].values()]
        shown.add_row(precision, *errors, f"{row['train_time_s']:.1f}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="what to train, in the words of train.py")
    parser.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"])
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    console = Console()
    for words in [options.words] if options.words else [pair.split() for pair in PAIRS]:
        found = compare(words, options.precisions)
        console.print(table(found))
        if options.record:
            record("precision", found)


if __name__ == "__main__":
    main()
