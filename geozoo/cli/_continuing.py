"""The last good frame of a trajectory, from which molecular dynamics goes on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms


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
