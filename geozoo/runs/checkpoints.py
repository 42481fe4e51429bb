"""Checkpoints that the words of a command name."""

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
        RunError: for a file that is no checkpoint of a run.
    """
    from geozoo.hub.checkpoints import Checkpoint  # loads torch, which few commands need

    try:
        return Checkpoint.read(path)
    except ModelFileError as error:
        raise RunError(str(error)) from error


def listed(words: str) -> list[str]:
    """The models of a list with commas; a path that exists is one, whatever its name.

    >>> listed("run_0,run_1")
    ['run_0', 'run_1']
    """
    return [words] if Path(words).expanduser().exists() else words.split(",")


def members(word: str) -> list[Path]:
    """The runs and published models in a folder that is neither, as ``ensemble=`` leaves it."""
    return [path for path in member_folders(Path(word).expanduser()) if path.is_dir()]


def refuse_ensemble(word: str) -> None:
    """Refuse a word that stands for several models where one is wanted.

    Raises:
        RunError: for a folder of runs, or a list with commas; names what it stands for.
    """
    named = listed(word)
    found = list(map(str, members(word))) or (named if len(named) > 1 else [])
    if found:
        several = f"an ensemble of {len(found)} models" if len(found) > 1 else "a folder of a model"
        raise RunError(
            f"{word} is {several}; geozoo predict checkpoint=... and geozoo.load take it as one, "
            f"this wants single models: {', '.join(map(shlex.quote, found))}"
        )


def find_checkpoint(run: str) -> Path:
    """The checkpoint file that a run folder (its best one) or a path names.

    Raises:
        RunError: when there is none, or several.
    """
    refuse_ensemble(run)
    path = Path(run).expanduser().absolute()
    if path.is_dir():
        path = RunFolder(path).best
    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}")
    return path
