"""Training on two processes against one with the same global batch: wall time and result.

    python -m benchmarks.data_parallel                   # PONITA on N-body, published size
    python -m benchmarks.data_parallel --rounds 3 --record

One process with one thread, two processes with one thread each (gloo), and one process with two
threads run in turn; the global batch is the same, and so should be the error. The efficiency is the
wall time of one process with one thread divided by twice that of each of the other two.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from benchmarks._run import train_py

WORDS = (
    "model=ponita dataset=nbody dataset.num_train=2000 trainer.max_epochs=1 trainer.accelerator=cpu"
).split()
BATCH = 100
#: Processes and threads of each setup.
WAYS = {"one thread": (1, 1), "two processes": (2, 1), "two threads": (1, 2)}


def measured(rounds: int) -> dict[str, Any]:
    """Wall times, errors and efficiencies of all setups."""
    rows: dict[str, dict[str, Any]] = {way: {"seconds": []} for way in WAYS}
    for _ in range(rounds):
        for way, (processes, threads) in WAYS.items():
            words = [*WORDS, f"dataset.loader.batch_size={BATCH // processes}"]
            if processes > 1:
                words += [f"trainer.devices={processes}", "trainer.strategy=ddp"]
            with tempfile.TemporaryDirectory() as folder:
                found = train_py(words, Path(folder) / "run", threads=threads)
            rows[way]["seconds"].append(found["train_time_s"])
            rows[way]["test"] = found["test"]
    alone = statistics.median(rows["one thread"]["seconds"])
    for way, (processes, threads) in WAYS.items():
        used = processes * threads
        rows[way]["efficiency"] = alone / used / statistics.median(rows[way]["seconds"])
    return {"words": " ".join(WORDS), "batch": BATCH, "ways": rows}


def table(found: dict[str, Any]) -> Table:
    """One line per setup."""
    first = next(iter(found["ways"].values()))
    shown = Table("", "seconds of training", "efficiency", *first["test"], title=found["words"])
    for way, row in found["ways"].items():
        errors = [f"{value:.8g}" for value in row["test"].values()]
        seconds = statistics.median(row["seconds"])
        shown.add_row(way, f"{seconds:.1f}", f"{100 * row['efficiency']:.0f} %", *errors)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    found = measured(options.rounds)
    Console().print(table(found))
    if options.record:
        record("data_parallel", found)


if __name__ == "__main__":
    main()
