"""Paths in the config of a run: stored absolute, and found again where the run was moved."""

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
#: Folders above a run folder that a relative path may start from: <start>/runs/<pair>/<run>, and
#: one more for the members of an ensemble.
_ABOVE = 4


def make_absolute(cfg: DictConfig) -> None:
    """Let every path of a config start from the root instead of the working directory, in place.

    Whatever comes later (a continuation, a test, another working directory) then reads the same
    files. The name of a trained model stays a name.
    """
    for key, value in path_values(cfg, root=RunOptions).items():
        path = Path(value).expanduser()
        is_name = key in _OR_NAME and not path.exists()
        if not is_name and str(path.absolute()) != value:
            OmegaConf.update(cfg, key, str(path.absolute()))


@contextmanager
def moved_files(cfg: DictConfig, stored: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Look for the data of a stored config from where the run folder is now, in place.

    A path that does not exist any more is looked for where it was relative to the run folder, and
    beside the run folder; one of an earlier version, which is relative, from the working directory
    and from the folders above the run.

    Args:
        cfg: the stored config; its paths become absolute.
        stored: the config as it was stored, which names the run folder of then.
        folder: where it is.

    Raises:
        RunError: of the block, with the places that were tried for the file that it names.
    """
    before = Path(str(stored.get("run_dir") or folder))
    tried: dict[Path, list[Path]] = {}
    for key, value in path_values(cfg).items():
        if not key.startswith("dataset."):
            continue
        first, *others = _places(Path(value).expanduser(), before, folder)
        found = next((place for place in (first, *others) if place.exists()), first)
        if not found.exists():
            tried[first] = others
        elif found != first:
            _LOG.info("%s: there is no %s; %s is read", key, first, found)
        OmegaConf.update(cfg, key, str(found))
    try:
        yield
    except RunError as error:
        for path, places in tried.items():
            if str(path) in str(error) and places:
                also = ", ".join(map(str, places))
                raise RunError(f"{error} (looked for it also as {also})") from error
        raise


def _places(stored: Path, before: Path, folder: Path) -> list[Path]:
    """Where a stored path may be now: first where it was, as an absolute path."""
    beside = [folder / stored.name, folder.parent / stored.name]
    if stored.is_absolute():
        moved = Path(os.path.normpath(folder / os.path.relpath(stored, before)))
        places = [stored, moved, *beside]
    else:
        above = [parent / stored for parent in list(folder.parents)[:_ABOVE]]
        places = [Path(os.path.normpath(place)) for place in (stored.absolute(), *above, *beside)]
    return list(dict.fromkeys(places))


def reads_own_files(cfg: DictConfig) -> bool:
    """Whether the data are read from files that the user names, not simulated or downloaded."""
    named = {key for key in path_values(cfg) if key.startswith("dataset.")}
    return bool(named - {"dataset.root"})


def replaced(value: Any, before: str, after: str) -> Any:
    """Plain data in which every text that begins with one folder begins with another."""
    if isinstance(value, str):
        is_inside = value == before or value.startswith(before + os.sep)
        return after + value[len(before) :] if is_inside else value
    if isinstance(value, dict):
        return {replaced(k, before, after): replaced(v, before, after) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(each, before, after) for each in value]
    return value
