"""Trajectories in tables with one row per frame and point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geozoo.data.trajectories._trajectory import Trajectory, mean_step
from geozoo.files.contents import report_contents
from geozoo.files.errors import read_csv_rows
from geozoo.files.separators import separator_of

_POSITION, _VELOCITY = ("x", "y", "z"), ("vx", "vy", "vz")
_EMPTY = frozenset(("", "nan", "na", "n/a", "null", "none"))
#: Largest number of frames, in multiples of those with a row, to which gaps are filled with NaN.
_MOST_GAPS = 10


class _Table(NamedTuple):
    """The cells of a table.

    Attributes:
        path: the file.
        columns: cells by name of the column.
        lines: line number of each row.
    """

    path: Path
    columns: dict[str, np.ndarray]
    lines: np.ndarray

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers, NaN for empty cells."""
        cells = self.columns[name]
        try:
            return np.array([_number(cell) for cell in cells])
        except ValueError:
            row = next(k for k, cell in enumerate(cells) if not _is_number(cell))
            hint = "; use decimal points" if "," in cells[row] else ""
            raise ValueError(
                f"{self.path}, line {self.lines[row]}, column {name}: {cells[row]!r} is not a "
                f"number{hint}"
            ) from None

    def rows(self, kept: np.ndarray) -> _Table:
        """Some rows."""
        columns = {name: cells[kept] for name, cells in self.columns.items()}
        return _Table(self.path, columns, self.lines[kept])


def read_table(
    path: Path, features: Sequence[str], *, is_reported: bool = True
) -> list[Trajectory]:
    """The trajectories of a table.

    Args:
        path: CSV file with the columns ``point``, ``x``, ``y`` and in 3D ``z``; ``frame`` (whole
            numbers) or ``time`` or both; ``trajectory`` if there are several; ``vx``, ``vy``,
            ``vz`` if velocities are known. Rows in any order.
        features: columns with constants of the points.
        is_reported: whether to log the names of the columns.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a column is missing, a cell is not a number, a frame and point has two rows,
            frames or times have an odd step, or a feature changes.
    """
    rows = read_csv_rows(path, separator=separator_of(path))
    header = [name.strip() for name in rows[0][1]] if rows else []
    names = _columns(path, header, features)
    if len(rows) < 2:
        raise ValueError(f"{path}: the table has no rows")
    cells = np.array([row for _, row in rows[1:]], dtype=object)
    table = _Table(
        path, {name: cells[:, header.index(name)] for name in names},
        np.array([line for line, _ in rows[1:]]),
    )  # fmt: skip
    if is_reported:
        report_contents(path.name, names, set(header) - set(names))
    if "trajectory" not in names:
        return [_trajectory(table, path.name, features)]
    of_row = table.columns["trajectory"]
    return [
        _trajectory(table.rows(of_row == each), f"{path.name}, trajectory {each}", features)
        for each in dict.fromkeys(of_row.tolist())
    ]


def _columns(path: Path, header: list[str], features: Sequence[str]) -> list[str]:
    """The columns that are read."""
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise ValueError(f"{path}: the column {twice[0]!r} occurs twice")
    missing = [name for name in ("point", "x", "y", *features) if name not in header]
    if not {"frame", "time"} & set(header):
        missing.append("frame or time")
    if missing:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}; a table of trajectories has one row "
            f"per frame and point: frame or time, point, x, y, z. It has {', '.join(header)}"
        )
    position = [name for name in _POSITION if name in header]
    velocity = [name for name in _VELOCITY if name in header]
    if velocity and len(velocity) != len(position):
        raise ValueError(
            f"{path}: there are velocities {', '.join(velocity)} for positions "
            f"{', '.join(position)}; give one per axis"
        )
    keys = [name for name in ("trajectory", "frame", "time", "point") if name in header]
    return [*keys, *position, *velocity, *features]


def _trajectory(table: _Table, name: str, features: Sequence[str]) -> Trajectory:
    points = sorted(set(table.columns["point"].tolist()), key=_natural)
    column = {point: number for number, point in enumerate(points)}
    point = np.array([column[each] for each in table.columns["point"]])
    frame, count, first, step, dt = _frames(table, name)
    cell = frame * len(points) + point
    order = np.argsort(cell, kind="stable")
    twice = np.flatnonzero(np.diff(cell[order]) == 0)
    if len(twice):
        one, other = order[twice[0]], order[twice[0] + 1]
        raise ValueError(
            f"{name}: lines {table.lines[one]} and {table.lines[other]} are both point "
            f"{points[point[one]]} in frame {first + int(frame[one]) * step}; several trajectories "
            "in one table need a column trajectory"
        )

    def filled(names: Sequence[str]) -> np.ndarray:
        values = np.full((count, len(points), len(names)), np.nan)
        for axis, each in enumerate(names):
            values[frame, point, axis] = table.numbers(each)
        return values

    position = [each for each in _POSITION if each in table.columns]
    velocity = [each for each in _VELOCITY if each in table.columns]
    return Trajectory(
        name=name, pos=filled(position), vel=filled(velocity) if velocity else None,
        x=_constants(table, name, features, filled(features), points) if features else None,
        dt=dt, points=tuple(points), first_frame=first, frame_step=step,
    )  # fmt: skip


def _constants(
    table: _Table, name: str, features: Sequence[str], values: np.ndarray, points: list[str]
) -> np.ndarray:
    """The features ``[P, F]``; raises ValueError if one changes over time."""
    known = np.where(np.isnan(values), -np.inf, values).max(0)
    known[~np.isfinite(known)] = np.nan
    changes = (np.abs(values - known) > 0).any(0)  # False for NaN
    if changes.any():
        point, column = np.argwhere(changes)[0]
        raise ValueError(
            f"{name}: the feature {features[column]} of point {points[point]} changes over time; "
            "features are constants of the points"
        )
    return known


class _Frames(NamedTuple):
    frame: np.ndarray
    total: int
    first: int
    step: int
    dt: float | None


def _frames(table: _Table, name: str) -> _Frames:
    """Index of the frame of each row, the number of frames, their first number and step, and dt."""
    if "frame" in table.columns:
        numbers = table.numbers("frame")
        if (odd := ~(np.isfinite(numbers) & (numbers == np.round(numbers)))).any():
            raise ValueError(
                f"{name}, line {table.lines[odd][0]}: frame must be a whole number, got "
                f"{table.columns['frame'][odd][0]!r}"
            )
        keys = numbers.astype(np.int64)
        different = np.unique(keys)
        step = int(np.gcd.reduce(np.diff(different))) if len(different) > 1 else 1
        index = (keys - different[0]) // step
        count = _counted(name, int(index.max()) + 1, len(different))
        dt = _dt_of_frames(table, name, index) if "time" in table.columns else None
        return _Frames(index, count, int(different[0]), step, dt)
    times = table.numbers("time")
    if not np.isfinite(times).all():
        raise ValueError(f"{name}, line {table.lines[~np.isfinite(times)][0]}: there is no time")
    different, index = np.unique(times, return_inverse=True)
    if len(different) < 2:
        mean_step(name, different)
    steps = np.round(np.diff(different) / np.median(np.diff(different))).astype(np.int64)
    if (steps < 1).any():
        mean_step(name, different)  # raises
    frame = np.concatenate([[0], np.cumsum(steps)])
    count = _counted(name, int(frame[-1]) + 1, len(different))
    dt = mean_step(name, different, frame)
    return _Frames(frame[index], count, 0, 1, dt)


def _dt_of_frames(table: _Table, name: str, index: np.ndarray) -> float:
    times = table.numbers("time")
    different, first = np.unique(index, return_index=True)
    of_frame = times[first]
    if (odd := times != of_frame[np.searchsorted(different, index)]).any():
        raise ValueError(
            f"{name}, line {table.lines[odd][0]}: the time differs from that of the other points "
            "of the same frame"
        )
    return mean_step(name, of_frame, different)


def _counted(name: str, count: int, known: int) -> int:
    if count > _MOST_GAPS * known:
        raise ValueError(
            f"{name}: {known} frames spread over {count} steps; are frames or times wrong, or is "
            "a column trajectory missing?"
        )
    return count


def _number(cell: str) -> float:
    return np.nan if cell.lower() in _EMPTY else float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers by value, then texts."""
    return (0, float(text), text) if text.lstrip("-").isdigit() else (1, 0.0, text)
