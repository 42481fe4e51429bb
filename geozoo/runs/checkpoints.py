"""Checkpoints that command-line arguments refer to."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.hub.description import ModelFileError
from geozoo.hub.folders import member_folders
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder

if TYPE_CHECKING:
    from geozoo.hub.checkpoints import Checkpoint


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of a run.

    Raises:
        RunError: If the file is not a checkpoint of a run.
    """
    from geozoo.hub.checkpoints import Checkpoint  # loads torch, which few commands need

    try:
        return Checkpoint.read(path)
    except ModelFileError as error:
        raise RunError(str(error)) from error


def listed(models: str) -> list[str]:
    """The models of a comma-separated list; an existing path is one model, even with commas.

    >>> listed("run_0,run_1")
    ['run_0', 'run_1']
    """
    return [models] if Path(models).expanduser().exists() else models.split(",")


def members(folder: str) -> list[Path]:
    """The runs and published models in an ensemble folder, as ``ensemble=`` creates it."""
    return [path for path in member_folders(Path(folder).expanduser()) if path.is_dir()]


def refuse_ensemble(model: str) -> None:
    """Reject an argument that refers to several models where one is expected.

    Raises:
        RunError: If it is a folder of runs, or a comma-separated list; the message lists them.
    """
    given = listed(model)
    found = list(map(str, members(model))) or (given if len(given) > 1 else [])
    if found:
        several = f"an ensemble of {len(found)} models" if len(found) > 1 else "a folder of a model"
        raise RunError(
            f"{model} is {several}; geozoo predict checkpoint=... and geozoo.load accept it, "
            f"this command needs a single model: {', '.join(map(shlex.quote, found))}"
        )


def find_checkpoint(run: str) -> Path:
    """The checkpoint file at a path, or the best checkpoint of a run folder.

    Raises:
        RunError: If there is none, or several.
    """
    refuse_ensemble(run)
    path = Path(run).expanduser().absolute()
    if path.is_dir():
        path = RunFolder(path).best
    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}")
    return path
