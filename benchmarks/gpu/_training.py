"""Jobs that train by ``train.py``, each from where the occasion before it ended."""

from __future__ import annotations

import csv
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu._job import ROOT, Context, run_command
from geozoo.cli._checkpoints import read_content
from geozoo.cli._folder import RunFolder

#: Bytes of a piece of a run folder; files that come back may have 16 MiB.
PIECE = 15 * 2**20
#: Seconds at the end for the test, the pictures and the packing.
_END = 45.0
#: Run folders of earlier occasions, in pieces.
KEPT = ROOT / ".gpu" / "runs"
_TINY = (
    "model.hidden_channels=8", "model.basis_channels=8", "model.num_layers=1",
    "model.num_orientations=6", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1",
    "trainer.limit_train_batches=3", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1",
)  # fmt: skip


def training(words: Sequence[str], *, tiny: Sequence[str] = ()) -> Callable[[Context], None]:
    """A job that trains with these words as long as its time allows.

    Args:
        words: of ``train.py``.
        tiny: further words of a rehearsal.
    """

    def run(context: Context) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = RunFolder(Path(place) / context.job)
            rehearsal = [*_TINY, *tiny] if context.rehearse else []
            told = [*words, *context.words, *rehearsal, f"run_dir={folder.path}"]
            before = 0.0
            if unpack_run(KEPT, context.job, folder.path):
                before = _elapsed(folder)
                told = [f"resume={folder.path}"]
                context.say(f"goes on after {before:.0f} s of training")
            budget = int(before + context.left - _END)
            command = [sys.executable, "train.py", *told, f"trainer.max_time={{seconds: {budget}}}"]
            status = run_command(command, context, log="train.log", seconds=context.left - 5)
            context.keep(_outcome(folder, status))
            if folder.last.is_file():
                pack_run(folder.path, context.out, context.job)

    return run


def pack_run(folder: Path, out: Path, name: str) -> list[Path]:
    """Pack a run folder as ``<name>.tar.xz.0``, ``.1``, ...: pieces that come back.

    The logger's own pieces stay behind: their sum is ``metrics.csv``.
    """
    whole = out / f"{name}.tar.xz"
    with tarfile.open(whole, "w:xz", preset=1) as archive:
        archive.add(folder, name)
    content = whole.read_bytes()
    whole.unlink()
    pieces = []
    for number, start in enumerate(range(0, len(content), PIECE)):
        piece = out / f"{whole.name}.{number}"
        piece.write_bytes(content[start : start + PIECE])
        pieces.append(piece)
    return pieces


def unpack_run(source: Path, name: str, folder: Path) -> bool:
    """Restore a run folder from its pieces; False where there are none."""
    pieces = sorted(source.glob(f"{name}.tar.xz.*"), key=lambda p: int(p.suffix[1:]))
    if not pieces:
        return False
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole.tar.xz"
        whole.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        with tarfile.open(whole) as archive:
            archive.extractall(place, filter="data")
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(place) / name, folder)
    return True


def _elapsed(folder: RunFolder) -> float:
    """Seconds of training that a run has behind it."""
    content = read_content(folder.last)
    return float(content["callbacks"]["Timer"]["time_elapsed"]["train"])


def _outcome(folder: RunFolder, status: int) -> dict[str, Any]:
    """What a run has to say: epochs, seconds, test errors as far as there are any."""
    row: dict[str, Any] = {"case": "training", "status": status}
    if folder.last.is_file():
        content = read_content(folder.last)
        row |= {
            "command": content["geozoo"]["command"],
            "epochs": content["epoch"] + 1,
            "max_epochs": content["geozoo"]["config"]["trainer"]["max_epochs"],
            "steps": content["global_step"],
            "train_time_s": _elapsed(folder),
            "validation": content["geozoo"]["metrics"],
            **content["callbacks"]["Hardware"],
        }
        row["ms_per_step"] = 1000 * row["train_time_s"] / max(1, row["steps"])
        row["is_whole"] = row["epochs"] >= row["max_epochs"]
    if folder.result.is_file():
        with folder.result.open(encoding="utf-8", newline="") as file:
            row["test"] = {r["metric"]: float(r["value"]) for r in csv.DictReader(file)}
    return row
