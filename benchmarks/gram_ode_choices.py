"""Choices that the GRAM-ODE paper leaves open, decided on validation data by short training runs.

    python -m benchmarks.gram_ode_choices                         # pems_bay_67, seed 0
    python -m benchmarks.gram_ode_choices --seeds 0 1 --record    # store the measurements

Every choice is trained with the ordinary command (``model=gram_ode dataset=... trainer=quick``) for
the same few steps from the same seeds. Each differs in one respect from the variant "paper" with
the learned matrix initialised as in the released code (standard normal); only "released" uses all
choices of the released code at once. The metric is the error over the whole validation set after
the last step. The test set is never read. ``--record`` appends the measurements to
``benchmarks/results/gram_ode_choices.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas
import torch

from benchmarks._record import record

TRAIN = Path(__file__).parents[1] / "train.py"
CHOICES: dict[str, list[str]] = {
    "as the paper": ["model.equations.mask_std=1"],
    "start held constant": ["model.equations.mask_std=1", "model.equations.detach_initial=true"],
    "local steps step by step": ["model.equations.mask_std=1", "model.equations.local_order=step"],
    "signed width of the filter": [
        "model.equations.mask_std=1",
        "model.equations.signed_filter=true",
    ],
    "mask std 0.1": ["model.equations.mask_std=0.1"],
    "mask product from 1": ["model.equations.spatial_mask=product", "model.equations.mask_std=0"],
    "released": ["model.variant=released"],
}


def train(choice: str, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Validation errors after the last step of a training run in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(TRAIN), "model=gram_ode", "trainer=quick",
            f"dataset={options.dataset}", f"dataset.loader.batch_size={options.batch}",
            f"trainer.limit_train_batches={options.steps}", f"trainer.max_epochs={options.epochs}",
            f"trainer.check_val_every_n_epoch={options.epochs}", "test=false", f"seed={seed}",
            f"run_dir={folder}/run", *CHOICES[choice],
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{choice}: the training failed\n{done.stdout}{done.stderr}")
        last = pandas.read_csv(Path(folder) / "run" / "metrics.csv").iloc[-1]
    return {name: float(value) for name, value in last.items() if str(name).startswith("val/")}


def table(rows: list[dict[str, Any]]) -> str:
    """One line per choice: error over all horizons, averaged over seeds, and for each seed."""
    lines = [f"{'choice':<28} {'MAE':>7}  seeds"]
    for choice in dict.fromkeys(row["choice"] for row in rows):
        found = [row["errors"] for row in rows if row["choice"] == choice]
        name = next(key for key in found[0] if key.endswith("_mae"))
        errors = [errors[name] for errors in found]
        each = " ".join(f"{error:.4f}" for error in errors)
        lines.append(f"{choice:<28} {statistics.mean(errors):>7.4f}  {each}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--choices", nargs="+", choices=list(CHOICES), default=list(CHOICES))
    parser.add_argument("--dataset", default="pems_bay_67")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("dataset", "batch", "steps", "epochs")}
    rows = []
    for seed in options.seeds:
        for choice in options.choices:
            errors = train(choice, seed, options)
            row = {"choice": choice, "overrides": CHOICES[choice], "seed": seed, **sizes}
            row |= {"threads": torch.get_num_threads(), "errors": errors}
            rows.append(row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            if options.record:
                record("gram_ode_choices", row)
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
