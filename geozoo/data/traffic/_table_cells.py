"""Parsing tables of sensors: separators, decimal marks, wide or long format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geozoo.data.traffic._table_numbers import read_numbers
from geozoo.data.traffic._table_times import TimeForm, Times, is_time, read_times, rows_in_order
from geozoo.data.traffic._time_order import check_order
from geozoo.files.errors import read_csv_rows
from geozoo.files.separators import separator_of

_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d*)?)?( *[AaPp][Mm])?")
_INDEX_NAMES = ("", "Unnamed: 0", "index")


@dataclass(frozen=True)
class TableForm:
    """The format of a table; None means that it is detected.

    Attributes:
        separator: cell separator; None: the most frequent of ``, ; tab |`` in the header.
        decimal: decimal mark, ``"."`` or ``","``.
        time_column: name of the time column; None: the first column, or the second if the first
            is a row index.
        clock_column: name of the column with the time of day, if the time column holds only the
            date.
        time_format: format of date and time of day, joined by a space; see `TimeForm`.
        time_zone: see `TimeForm`.
        day_first: see `TimeForm`.
        drop: names of columns to ignore.
        sensor_column: for the long format (one row per time and sensor): the column of sensor ids.
        value_column: for the long format: the column of readings.

    Raises:
        ValueError: If a separator, decimal mark or zone is invalid, or only one of the two columns
            of the long format is given.
    """

    separator: str | None = None
    decimal: str | None = None
    time_column: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    day_first: bool | None = None
    drop: tuple[str, ...] = ()
    sensor_column: str | None = None
    value_column: str | None = None
    clock_column: str | None = None

    def __post_init__(self) -> None:
        """Validate the options."""
        if isinstance(self.drop, str):
            raise ValueError(f"drop must be a list of column names, got {self.drop!r}")
        object.__setattr__(self, "drop", tuple(str(name) for name in self.drop))
        if self.separator == "\\t":
            object.__setattr__(self, "separator", "\t")
        if self.separator is not None and len(self.separator) != 1:
            raise ValueError(f"separator must be a single character, got {self.separator!r}")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f'decimal must be "." or ",", got {self.decimal!r}')
        if (self.sensor_column is None) != (self.value_column is None):
            raise ValueError("the long format requires both sensor_column and value_column")
        self.times()

    def times(self) -> TimeForm:
        """The format of the times."""
        return TimeForm(self.time_format, self.time_zone, self.day_first)

    def header(self, path: Path) -> list[str]:
        """Column names of a table.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file is not a table.
        """
        rows = read_csv_rows(path, separator=self.separator or separator_of(path))
        return rows[0][1] if rows else []

    def given(self) -> dict[str, Any]:
        """The options that were set explicitly, as plain data."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {key: value for key, value in plain.items() if value not in (None, [])}


class Cells(NamedTuple):
    """A parsed table.

    Attributes:
        ids: sensor names.
        values: float64 ``[S, N]``; NaN where a cell is empty.
        times: datetime64[s] ``[S]``; None for a table without times.
        facts: detected properties of the times, for the record.
        notes: remarks for the user.
        unread: names of columns that were ignored.
    """

    ids: list[str]
    values: np.ndarray
    times: np.ndarray | None
    facts: dict[str, Any]
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()


def read_cells(path: Path, form: TableForm, *, has_times: bool) -> Cells:
    """Read a table of sensors.

    Args:
        path: the file.
        form: its format.
        has_times: whether there is a time column.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the table has another format; the message suggests the option to set.
    """
    separator = form.separator or separator_of(path)
    rows = read_csv_rows(path, separator=separator)
    if len(rows) < 2:
        raise ValueError(
            f"{path}: a table must have a header and at least one row, got {len(rows)} rows"
        )
    header, lines = rows[0][1], [line for line, _ in rows[1:]]
    body = [row for _, row in rows[1:]]
    if has_times and len(header) == 1:
        raise ValueError(
            f"{path}: with the separator {separator!r} the header has only one column, "
            f"{header[0]!r}; set dataset.form.separator"
        )
    named = (
        form.time_column, form.clock_column, form.sensor_column, form.value_column, *form.drop
    )  # fmt: skip
    if lost := [name for name in named if name is not None and name not in header]:
        raise ValueError(f"{path}: there is no column {lost[0]!r}; available: {_listed(header)}")
    if not has_times:
        kept = [k for k, name in enumerate(header) if name not in form.drop]
        ids = [header[k] for k in kept]
        values = read_numbers(
            path, [[row[k] for k in kept] for row in body], lines, ids, form.decimal
        )
        return Cells(ids, values, None, {}, (), _others(header, kept))
    if form.clock_column is not None:
        header, body = _joined(header, body, form)
    column = _time_index(header, body, form)
    cells = [row[column] for row in body]
    _check_first(path, header, body, column, form)
    if form.sensor_column is not None:
        return _long(path, header, body, lines, column, form)
    _check_wide(path, header, cells, body[0])
    kept = [k for k, name in enumerate(header) if k != column and name not in form.drop]
    if form.time_column is None:
        kept = [k for k in kept if k > column]  # a row index precedes the times
    ids = [header[k] for k in kept]
    times = read_times(path, cells, lines, form.times())
    order, notes = rows_in_order(times)
    check_order(times.local[order], path.name)
    chosen = [[body[row][k] for k in kept] for row in order]
    values = read_numbers(path, chosen, [lines[row] for row in order], ids, form.decimal)
    unread = _others(header, [column, *kept])
    return Cells(ids, values, times.local[order], times.facts, notes, unread)


def _others(header: list[str], read: Sequence[int]) -> tuple[str, ...]:
    """Names of the columns that are not read; a column without a name is listed by its index."""
    left = [(k, name) for k, name in enumerate(header) if k not in set(read)]
    return tuple(name or f"column {k}" for k, name in left)


def _time_index(header: list[str], body: list[list[str]], form: TableForm) -> int:
    if form.time_column is not None:
        return header.index(form.time_column)
    counts = [row[0] for row in body]
    counting = any(
        counts == [str(number) for number in range(start, start + len(body))] for start in (0, 1)
    )
    second = len(header) > 1 and is_time(body[0][1])
    return 1 if header[0] in _INDEX_NAMES and counting and second else 0


def _check_first(
    path: Path, header: list[str], body: list[list[str]], column: int, form: TableForm
) -> None:
    """Raise an error that suggests the time column, if it is another one."""
    if form.time_format is not None or is_time(body[0][column]):
        return
    others = [name for name, cell in zip(header, body[0], strict=True) if is_time(cell)]
    if others:
        raise ValueError(
            f"{path}: the first column must hold times, but {header[column]!r} has "
            f"{body[0][column]!r}; the column {others[0]!r} looks like times: set "
            f"dataset.form.time_column={others[0]}, and dataset.form.drop=[...] for columns that "
            "are not sensors"
        )


def _joined(
    header: list[str], body: list[list[str]], form: TableForm
) -> tuple[list[str], list[list[str]]]:
    """The table with date and time of day joined in the time column."""
    clock = header.index(str(form.clock_column))
    without = [name for k, name in enumerate(header) if k != clock]
    column = _time_index(without, [[c for k, c in enumerate(r) if k != clock] for r in body], form)
    joined = []
    for row in body:
        rest = [cell for k, cell in enumerate(row) if k != clock]
        rest[column] = f"{rest[column]} {row[clock]}"
        joined.append(rest)
    return without, joined


def _check_wide(path: Path, header: list[str], cells: list[str], first: list[str]) -> None:
    repeated = len(set(cells)) < len(cells)
    clocks = [n for n, cell in zip(header, first, strict=True) if _CLOCK.fullmatch(cell)]
    if repeated and clocks and ":" not in cells[0]:
        raise ValueError(
            f"{path}: the times repeat ({cells[0]}), and the column {clocks[0]!r} holds the time "
            f"of day ({first[header.index(clocks[0])]}): set dataset.form.clock_column={clocks[0]}"
        )
    if len(header) > 2 and len(cells) > 3 and len(set(cells)) <= 0.6 * len(cells):
        raise ValueError(
            f"{path}: the times repeat, {len(set(cells))} of them in {len(cells)} rows. If the "
            "table has one row per time and sensor, set dataset.form.sensor_column=... and "
            f"dataset.form.value_column=... (columns: {_listed(header)})"
        )


def _long(
    path: Path, header: list[str], body: list[list[str]], lines: list[int], column: int,
    form: TableForm,
) -> Cells:  # fmt: skip
    """Parse the long format: one row per time and sensor."""
    sensor = header.index(str(form.sensor_column))
    value = header.index(str(form.value_column))
    first_line: dict[str, int] = {}
    for line, row in zip(lines, body, strict=True):
        first_line.setdefault(row[column], line)
    texts = list(first_line)
    times = read_times(path, texts, list(first_line.values()), form.times())
    moments = times.local
    if times.offsets is not None:
        moments = moments - times.offsets.astype("timedelta64[s]")
    by_time = np.argsort(moments, kind="stable")
    offsets = None if times.offsets is None else times.offsets[by_time]
    order, notes = rows_in_order(Times(times.local[by_time], offsets, {}, times.notes))
    rows = by_time[order]
    check_order(times.local[rows], path.name)
    step_of = {texts[row]: step for step, row in enumerate(rows)}
    ids = list(dict.fromkeys(row[sensor] for row in body))
    sensor_of = {name: number for number, name in enumerate(ids)}
    readings = [[row[value]] for row in body]
    numbers = read_numbers(path, readings, lines, [str(form.value_column)], form.decimal)
    values, seen = np.full((len(rows), len(ids)), np.nan), np.zeros((len(rows), len(ids)), np.int64)
    for line, row, number in zip(lines, body, numbers[:, 0], strict=True):
        step = step_of.get(row[column])
        if step is None:  # in the repeated hour at the end of daylight saving time
            continue
        at = (step, sensor_of[row[sensor]])
        if seen[at]:
            raise ValueError(
                f"{path}, line {line}: sensor {row[sensor]} at {row[column]} already occurs in "
                f"line {seen[at]}"
            )
        values[at], seen[at] = number, line
    unread = _others(header, [column, sensor, value])
    return Cells(ids, values, times.local[rows], times.facts, notes, unread)


def _listed(header: list[str]) -> str:
    return ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
