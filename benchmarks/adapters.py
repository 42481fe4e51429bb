"""Adapters with shared weights next to low-rank updates of equal size, on the fine-tuning table.

    python -m benchmarks.adapters --record           # rMD17; four minutes of one core per training
    python -m benchmarks.adapters --kinds low_rank bone --epochs 200 --seeds 0 1

A potential of ethanol (``ponita-rmd17_ethanol``) is fine-tuned on 50 frames of malonaldehyde, as in
docs/fine_tuning.md, with adapters of about the size of low-rank updates of rank 16:

    low_rank   ``adapter_rank=16``
    bone       block-affine (Bone), blocks of 32
    mos        shards of a common pool (MoS), rank 64
    compacter  sums of 4 Kronecker products with common factors (Compacter), rank 16

``--record`` appends each training to ``benchmarks/results/adapters.jsonl`` when it ends.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks._adapters import KINDS
from benchmarks._record import record
from benchmarks._run import train_py
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.folder import RunFolder
from geozoo.runs.metrics_file import curve, read_metrics

WORDS = [
    "model=ponita", "dataset=rmd17", "dataset.molecule=malonaldehyde", "dataset.num_train=50",
    "trainer=quick", "trainer.check_val_every_n_epoch=10", "trainer.accelerator=cpu",
    "schedule.warmup_epochs=5", "ema_decay=0.99", "task.energy_weight=0.1",
    "task.test_rotations=1", "init_from=ponita-rmd17_ethanol", "adapter_rank=16",
    'adapter_trained=["*.bias","readouts.*"]',
]  # fmt: skip

_UPDATE = ".parametrizations.weight.0."


def train(kind: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train once; sizes, test errors and the course of the validation loss."""
    words = [*WORDS, f"optimizer.lr={options.rate}", f"trainer.max_epochs={options.epochs}"]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        program = ("-m", "benchmarks._adapters", kind)
        found = train_py([*words, f"seed={seed}"], folder, program=program)
        run = RunFolder(folder)
        epochs, losses = curve(read_metrics(run), "val/loss")
        weights = read_checkpoint(run.last).weights
    return {
        "kind": kind, "seed": seed, "epochs": options.epochs, "rate": options.rate,
        "adapter_parameters": adapter_parameters(weights), **found,
        "val_loss": dict(zip(epochs, losses, strict=True)),
        "threads": torch.get_num_threads(), "words": " ".join(words),
    }  # fmt: skip


def adapter_parameters(weights: dict[str, torch.Tensor]) -> int:
    """Their number in a state dict; those in a module that layers share count once."""
    found = {}
    for name, value in weights.items():
        if _UPDATE in name and value.is_floating_point() and value.ndim:
            own = name.split(_UPDATE)[1]
            found[own if "." in own else name] = value.numel()
    return sum(found.values())


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per training."""
    shown = Table("adapter", "parameters", "seed", "validation loss", *rows[0]["test"], "seconds")
    for row in rows:
        errors = [f"{value:.4g}" for value in row["test"].values()]
        loss = ", ".join(f"{epoch}: {value:.4g}" for epoch, value in row["val_loss"].items())
        size, seconds = f"{row['adapter_parameters']:,}", f"{row['train_time_s']:.0f}"
        shown.add_row(row["kind"], size, str(row["seed"]), loss, *errors, seconds)
    return shown


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    console, rows = Console(width=160), []
    for seed in options.seeds:
        for kind in options.kinds:
            rows.append(train(kind, seed, options))
            console.print_json(json.dumps(rows[-1]), indent=None)
            if options.record:
                record("adapters", rows[-1])
    console.print(table(rows))


if __name__ == "__main__":
    main()
