"""Paths in the config of a run: stored as absolute paths, and found again if the run is moved."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config import path_values
from geozoo.config.options import RunOptions
from geozoo.runs.errors import RunError

_LOG = logging.getLogger(__name__)
#: Keys that take a path or the name of a trained model.
_OR_NAME = ("init_from",)
#: Levels above a run folder at which relative paths are tried: <start>/runs/<pair>/<run>, and one
#: more for the members of an ensemble.
_ABOVE = 4


def make_absolute(cfg: DictConfig) -> None:
    """Make every path of a config absolute, in place.

    A continuation or a test, from any working directory, then reads the same files. Names of
    trained models are not changed.
    """
    for key, value in path_values(cfg, root=RunOptions).items():
        path = Path(value).expanduser()
        is_name = key in _OR_NAME and not path.exists()
        if not is_name and str(path.absolute()) != value:
            OmegaConf.update(cfg, key, str(path.absolute()))


@contextmanager
def moved_files(cfg: DictConfig, stored: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Find the data of a stored config after the run folder was moved; changes the config in place.

    A path that does not exist is tried at the same place relative to the run folder, and next to
    the run folder; a relative path of an earlier version is tried from the working directory and
    from the folders above the run.

    Args:
        cfg: the stored config; its paths become absolute.
        stored: the unchanged stored config, with the original path of the run folder.
        folder: the current path of the run folder.

    Raises:
        RunError: If the block raises one; the message adds the paths that were tried.
    """
    before = Path(str(stored.get("run_dir") or folder))
    tried: dict[Path, list[Path]] = {}
    for key, value in path_values(cfg).items():
        if not key.startswith("dataset."):
            continue
        first, *others = _candidates(Path(value).expanduser(), before, folder)
        found = next((path for path in (first, *others) if path.exists()), first)
        if not found.exists():
            tried[first] = others
        elif found != first:
            _LOG.info("%s: %s does not exist; reading %s", key, first, found)
        OmegaConf.update(cfg, key, str(found))
    try:
        yield
    except RunError as error:
        for path, candidates in tried.items():
            if str(path) in str(error) and candidates:
                also = ", ".join(map(str, candidates))
                raise RunError(f"{error} (also tried: {also})") from error
        raise


def _candidates(stored: Path, before: Path, folder: Path) -> list[Path]:
    """Candidates for a stored path, the original absolute path first."""
    beside = [folder / stored.name, folder.parent / stored.name]
    if stored.is_absolute():
        moved = Path(os.path.normpath(folder / os.path.relpath(stored, before)))
        paths = [stored, moved, *beside]
    else:
        above = [parent / stored for parent in list(folder.parents)[:_ABOVE]]
        paths = [Path(os.path.normpath(path)) for path in (stored.absolute(), *above, *beside)]
    return list(dict.fromkeys(paths))


def reads_own_files(cfg: DictConfig) -> bool:
    """Whether the data come from files of the user, rather than a simulation or a download."""
    named = {key for key in path_values(cfg) if key.startswith("dataset.")}
    return bool(named - {"dataset.root"})


def replaced(value: Any, before: str, after: str) -> Any:
    """Plain data with one folder replaced by another at the beginning of every path."""
    if isinstance(value, str):
        is_inside = value == before or value.startswith(before + os.sep)
        return after + value[len(before) :] if is_inside else value
    if isinstance(value, dict):
        return {replaced(k, before, after): replaced(v, before, after) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(each, before, after) for each in value]
    return value
