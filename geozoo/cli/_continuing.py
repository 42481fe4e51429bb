"""The last good frame of a trajectory, from which molecular dynamics goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.files.folders import atomic_path
from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms

_SETTINGS = "settings.json"


def write_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Keep what a later part of the run must have in common with the first one."""
    with atomic_path(folder / _SETTINGS) as partial:
        partial.write_text(json.dumps(dict(settings), indent=1) + "\n", encoding="utf-8")


def check_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Compare them with those of the first part of a run; a run without them passes.

    Raises:
        RunError: If one differs: trajectory, log and means would be those of different runs.
    """
    path = folder / _SETTINGS
    if not path.is_file():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"resume: {path} is no JSON file: {error}") from error
    differ = [name for name, value in settings.items() if before.get(name) != value]
    if "precision" in differ and "weights" in differ:  # the hash depends on it
        differ.remove("weights")
    if differ:
        listed = ", ".join(f"{each} {before.get(each)} (now {settings[each]})" for each in differ)
        raise RunError(
            f"resume: {folder} was begun with {listed}; set the same values, or begin another "
            "folder, with trajectory.xyz's last frame as input"
        )


def last_frame(folder: Path) -> Atoms:
    """The last complete frame of ``trajectory.xyz``; whatever is later is removed, in the log too.

    Args:
        folder: the folder of an earlier run.

    Raises:
        RunError: If there is no frame with momenta and the number of its step.
    """
    from ase import Atoms
    from ase.io import read

    trajectory, log = folder / "trajectory.xyz", folder / "log.csv"
    if not trajectory.is_file() or not log.is_file():
        raise RunError(f"resume: there is no trajectory.xyz with a log.csv in {folder}")
    text, end = _last_complete(trajectory)
    if not text:
        raise RunError(f"resume: {trajectory} has no complete frame")
    frame = read(io.StringIO(text), format="extxyz")
    assert isinstance(frame, Atoms)  # no index, so not a list
    if "step" not in frame.info or "momenta" not in frame.arrays:
        raise RunError(f"resume: the last frame of {trajectory} has no momenta, or no step")
    if end < trajectory.stat().st_size:
        with trajectory.open("r+b") as file:
            file.truncate(end)
    _shorten(log, int(frame.info["step"]))
    frame.calc = None
    return frame


def _last_complete(path: Path) -> tuple[str, int]:
    """The last complete frame of an extended-XYZ file, and where it ends in bytes."""
    last, end = b"", 0
    with path.open("rb") as file:
        while (head := file.readline()).strip().isdigit():
            lines = [head, *(file.readline() for _ in range(int(head) + 1))]
            if not all(line.endswith(b"\n") for line in lines):
                break
            last = b"".join(lines)
            end += len(last)
    return last.decode("utf-8"), end


def _shorten(path: Path, step: int) -> None:
    """Remove the rows of a log after a step."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    kept = [row for row in rows if len(row) == len(head) and int(row[0]) <= step]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *kept])
