"""Folders of runs and published models, told apart without reading them."""

from __future__ import annotations

from pathlib import Path

from geozoo.hub.description import FILE_NAME

_BEST = Path("checkpoints") / "best.ckpt"


def run_checkpoint(path: Path) -> Path | None:
    """The best checkpoint of a run folder, or the checkpoint itself; None for anything else."""
    if path.suffix == ".ckpt" and path.is_file():
        return path
    return path / _BEST if (path / _BEST).is_file() else None


def member_folders(path: Path) -> list[Path]:
    """The runs and published models inside a folder, such as one written by ``ensemble=``."""
    if not path.is_dir() or (path / FILE_NAME).is_file() or run_checkpoint(path):
        return []
    inside = sorted(path.iterdir())
    return [each for each in inside if (each / FILE_NAME).is_file() or run_checkpoint(each)]
