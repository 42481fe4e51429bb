"""Jobs that train with ``train.py``, each resuming where the previous one stopped."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu._job import Context, run_command
from benchmarks.gpu._runs import pack_run, unpack_run
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.folder import RunFolder

#: Seconds reserved at the end for the test, the plots and packing.
_END = 45.0
#: Arguments of every rehearsal, and of one of PONITA.
_SHORT = (
    "model.hidden_channels=8", "model.num_layers=1", "trainer.max_epochs=2",
    "trainer.check_val_every_n_epoch=1",
    "trainer.limit_train_batches=3", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1",
)  # fmt: skip

SMALL_PONITA = ("model.kernel.basis_channels=8", "model.orientations.num_orientations=6")


def training(words: Sequence[str], *, tiny: Sequence[str] = ()) -> Callable[[Context], None]:
    """A job that trains with these arguments as long as its time allows.

    Args:
        words: arguments of ``train.py``.
        tiny: additional arguments of a rehearsal.
    """

    def run(context: Context) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = RunFolder(Path(place) / context.job)
            rehearsal = [*_SHORT, *tiny] if context.rehearse else []
            told = last_of_each([*words, *rehearsal, *context.words, f"run_dir={folder.path}"])
            before = 0.0
            if unpack_run(context.state, context.job, folder.path):
                before = _elapsed(folder)
                told = [f"resume={folder.path}", *context.words]
                context.say(f"goes on after {before:.0f} s of training")
            budget = int(before + context.left - _END)
            command = [sys.executable, "train.py", *told, f"trainer.max_time={{seconds: {budget}}}"]
            status = run_command(command, context, log="train.log", seconds=context.left - 5)
            context.keep(_outcome(folder, status))
            if folder.last.is_file():
                pack_run(folder.path, context.out, context.job)

    return run


def last_of_each(arguments: Sequence[str]) -> list[str]:
    """Keep the last of the arguments that set the same key, since a command takes each key once.

    >>> last_of_each(["model=ponita", "seed=0", "seed=1"])
    ['model=ponita', 'seed=1']
    """
    return list({each.lstrip("+").partition("=")[0]: each for each in arguments}.values())


def _elapsed(folder: RunFolder) -> float:
    """Seconds that a run has been trained so far."""
    return read_checkpoint(folder.last).seconds


def _outcome(folder: RunFolder, status: int) -> dict[str, Any]:
    """Results of a run: epochs, seconds, and test errors if there are any."""
    row: dict[str, Any] = {"case": "training", "status": status}
    if folder.last.is_file():
        last = read_checkpoint(folder.last)
        row |= {
            "command": last.record["command"],
            "epochs": last.epochs,
            "max_epochs": last.record["config"]["trainer"]["max_epochs"],
            "steps": last.steps,
            "train_time_s": last.seconds,
            "validation": last.record["metrics"],
            **last.hardware,
        }
        row["ms_per_step"] = 1000 * row["train_time_s"] / max(1, row["steps"])
        row["is_whole"] = row["epochs"] >= row["max_epochs"]
    if folder.result.is_file():
        with folder.result.open(encoding="utf-8", newline="") as file:
            row["test"] = {r["metric"]: float(r["value"]) for r in csv.DictReader(file)}
    return row
