"""Checkpoints that the words of a command name."""

from __future__ import annotations

from pathlib import Path

from geozoo.cli._folder import RunFolder
from geozoo.cli._options import RunError
from geozoo.hub.checkpoints import Checkpoint
from geozoo.hub.description import ModelFileError


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of a run.

    Raises:
        RunError: for a file that is no checkpoint of a run.
    """
    try:
        return Checkpoint.read(path)
    except ModelFileError as error:
        raise RunError(str(error)) from error


def find_checkpoint(run: str) -> Path:
    """The checkpoint file that a run folder (its best one) or a path names.

    Raises:
        RunError: when there is none.
    """
    path = Path(run).expanduser().absolute()
    if path.is_dir():
        path = RunFolder(path).best
    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}")
    return path
