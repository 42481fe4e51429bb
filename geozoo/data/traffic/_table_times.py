"""Local times out of the cells of a table, in the forms in which people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from geozoo.data.traffic._utc_offsets import check_offsets, offset_of, offset_text, to_zone

_CLOCK = r"(?:[T ]+(\d{1,2})(?::(\d\d)(?::(\d\d)(?:[.,]\d*)?)?)?)?"
_ZONE = r" *(Z|UTC|[+-]\d\d(?::?\d\d)?)?"
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _CLOCK + _ZONE)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _CLOCK + r" *([AaPp][Mm])?" + _ZONE)
_UNIX = re.compile(r"(\d{9,10})(?:\.0*)?|(\d{12,13})")
_OPTION = "dataset.form.time_format (%d/%m/%Y %H:%M, for example)"


@dataclass(frozen=True)
class TimeForm:
    """How times are written.

    Attributes:
        time_format: a format of ``datetime.strptime``, or ``"unix"`` for seconds (13 digits:
            milliseconds) since 1970; None: seen from the cells.
        time_zone: name of the zone, ``"Europe/Berlin"``, to whose local clock times with a UTC
            offset or Unix seconds are converted; None: the clock of the text.
        day_first: whether 01/02/2024 is the first of February, where no cell of the table decides;
            None: such a table raises an error.

    Raises:
        ValueError: for a zone that is not known.
    """

    time_format: str | None = None
    time_zone: str | None = None
    day_first: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a zone that is not known."""
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(
                    f"time_zone must be a name like Europe/Berlin, got {self.time_zone!r}"
                ) from None


class Times(NamedTuple):
    """Times of the cells of a column.

    Attributes:
        local: datetime64[s] ``[R]``, local clock.
        offsets: seconds by which that clock is ahead of UTC ``[R]``; None: not known.
        facts: what was decided, for the record: ``utc_offsets``, ``day_first``.
        notes: what a reader should know.
    """

    local: np.ndarray
    offsets: np.ndarray | None
    facts: dict[str, Any]
    notes: tuple[str, ...] = ()


def is_time(cell: str) -> bool:
    """Whether a cell looks like a time without being told its format."""
    return any(form.fullmatch(cell) for form in (_YEAR_FIRST, _YEAR_LAST, _UNIX))


def read_times(path: Path, cells: Sequence[str], lines: Sequence[int], form: TimeForm) -> Times:
    """The times of a column, all written alike.

    A UTC offset is dropped if it is the same in all cells or changes as daylight saving does: the
    local clock of the text is what days and weeks are counted on.

    Args:
        path: the table, for messages.
        cells: the column.
        lines: line of each cell.
        form: how they are written.

    Raises:
        ValueError: for cells that are no such times, an order of day and month that no cell
            decides, or offsets that differ by more than daylight saving; names file and line.
    """
    facts: dict[str, Any] = {}
    local: np.ndarray
    offsets: np.ndarray | None
    if form.time_format == "unix" or (form.time_format is None and _UNIX.fullmatch(cells[0])):
        local, offsets = _unix(path, cells, lines), np.zeros(len(cells), np.int64)
    elif form.time_format is not None:
        local, offsets = _by_format(path, cells, lines, form.time_format)
    elif _YEAR_LAST.fullmatch(cells[0]):
        local, offsets, facts["day_first"] = _year_last(path, cells, lines, form.day_first)
    else:
        local, offsets = _year_first(path, cells, lines)
    if offsets is None:
        if form.time_zone is not None:
            raise ValueError(
                f"{path}: time_zone={form.time_zone} converts times with a UTC offset or Unix "
                f"seconds; {cells[0]!r} has neither"
            )
        return Times(local, None, facts)
    if form.time_zone is not None:
        local, offsets = to_zone(local, offsets, form.time_zone)
    known = [offset_text(offset) for offset in np.unique(offsets)]
    if len(known) > 1:
        check_offsets(path, cells, lines, local - offsets.astype("timedelta64[s]"), offsets)
    if form.time_zone is not None:
        note = f"times are converted to the local clock of {form.time_zone}"
    elif known == ["+00:00"]:
        note = (
            "the clock of the times is UTC, and hours and weekdays are those of UTC; "
            "dataset.form.time_zone=Europe/Berlin, for example, converts to a local clock"
        )
    else:
        note = f"the UTC offset of the times ({' and '.join(known)}) is dropped: the clock is local"
    return Times(local, offsets, {**facts, "utc_offsets": known}, (note,))


def rows_in_order(times: Times) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows from the oldest to the newest, and notes on what was changed.

    A table with the newest row first is turned. Of an hour that a clock set back repeats, the
    second pass is left out where offsets tell the passes apart. Any other order is left alone.
    """
    moments = times.local
    if times.offsets is not None:
        moments = moments - times.offsets.astype("timedelta64[s]")
    rows, notes = np.arange(len(moments)), list(times.notes)
    ahead = np.diff(moments).astype(np.int64)
    if len(ahead) and (ahead < 0).all():
        rows, ahead = rows[::-1], -ahead[::-1]
        notes.append("the newest row came first; the order was turned")
    if times.offsets is not None and (ahead > 0).all():
        local = times.local[rows]
        newest = np.maximum.accumulate(local)
        kept = np.concatenate([[True], local[1:] > newest[:-1]])
        if not kept.all():
            rows = rows[kept]
            notes.append(
                f"{(~kept).sum()} rows of hours that the end of daylight saving repeats are left "
                "out; the first pass is kept"
            )
    return rows, tuple(notes)


def _no_time(path: Path, line: int, cell: str, like: str) -> ValueError:
    return ValueError(
        f"{path}: the first column must hold times like {like}, line {line} has {cell!r}; another "
        f"form needs {_OPTION}, another column dataset.form.time_column, and a table without times "
        "dataset.start and dataset.interval"
    )


def _year_first(
    path: Path, cells: Sequence[str], lines: Sequence[int]
) -> tuple[np.ndarray, np.ndarray | None]:
    parts = []
    for line, cell in zip(lines, cells, strict=True):
        found = _YEAR_FIRST.fullmatch(cell)
        if found is None:
            raise _no_time(path, line, cell, "2016-07-01 03:40")
        parts.append(found.groups())
    return _gathered(path, cells, lines, [(*p[:6], None, p[6]) for p in parts])


def _year_last(
    path: Path, cells: Sequence[str], lines: Sequence[int], day_first: bool | None
) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Day and month in the order that a cell with a day after the 12th shows."""
    parts = []
    for line, cell in zip(lines, cells, strict=True):
        found = _YEAR_LAST.fullmatch(cell)
        if found is None:
            raise _no_time(path, line, cell, cells[0])
        parts.append(found.groups())
    firsts, seconds = (np.array([int(p[place]) for p in parts]) for place in (0, 2))
    shown = [order for order, high in ((True, firsts), (False, seconds)) if (high > 12).any()]
    if len(shown) == 2:
        first, second = (int(np.flatnonzero(high > 12)[0]) for high in (firsts, seconds))
        raise ValueError(
            f"{path}: the order of day and month changes: line {lines[first]} has {cells[first]}, "
            f"line {lines[second]} has {cells[second]}"
        )
    if shown:
        day_first = shown[0]
    elif day_first is None and parts[0][1] == ".":  # only day.month.year is written with points
        day_first = True
    if day_first is None:
        clock = "" if parts[0][4] is None else " %H:%M" + ("" if parts[0][6] is None else ":%S")
        mark = parts[0][1]
        raise ValueError(
            f"{path}: day and month of {cells[0]} cannot be told apart, in this row or any other; "
            f'give dataset.form.time_format="%d{mark}%m{mark}%Y{clock}" (day first) or '
            f'"%m{mark}%d{mark}%Y{clock}" (month first)'
        )
    day, month = (0, 2) if day_first else (2, 0)
    ordered = [(p[3], p[month], p[day], *p[4:]) for p in parts]
    return *_gathered(path, cells, lines, ordered), day_first


def _gathered(
    path: Path, cells: Sequence[str], lines: Sequence[int], parts: list[tuple[Any, ...]]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Times from year, month, day, hour, minute, second, half of the day and zone."""
    texts, offsets = [], []
    for line, cell, (*numbers, half, zone) in zip(lines, cells, parts, strict=True):
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        if half is not None and 1 <= hour <= 12:
            hour = hour % 12 + (12 if half[0] in "Pp" else 0)
        midnight = (hour, minute, second) == (24, 0, 0)  # the end of a day, as ISO 8601 has it
        try:
            moment = datetime(year, month, day, 0 if midnight else hour, minute, second)
            texts.append(moment + timedelta(days=midnight))
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {cell!r} is no time: {error}") from None
        offsets.append(offset_of(zone))
    return np.array(texts, "datetime64[s]"), _all_or_none(path, cells, lines, offsets)


def _all_or_none(
    path: Path, cells: Sequence[str], lines: Sequence[int], offsets: list[int | None]
) -> np.ndarray | None:
    has = [offset is not None for offset in offsets]
    if not any(has):
        return None
    if not all(has):
        other = has.index(not has[0])
        raise ValueError(
            f"{path}: some times have a UTC offset and some do not: line {lines[0]} has "
            f"{cells[0]}, line {lines[other]} has {cells[other]}"
        )
    return np.array(offsets, np.int64)


def _by_format(
    path: Path, cells: Sequence[str], lines: Sequence[int], form: str
) -> tuple[np.ndarray, np.ndarray | None]:
    found, offsets = [], []
    for line, cell in zip(lines, cells, strict=True):
        try:
            moment = datetime.strptime(cell, form)
        except ValueError as error:
            raise ValueError(
                f"{path}, line {line}: {cell!r} is no time of the form time_format={form!r}: "
                f"{error}"
            ) from None
        offset = moment.utcoffset()
        offsets.append(None if offset is None else int(offset / timedelta(seconds=1)))
        found.append(moment.replace(tzinfo=None))
    return np.array(found, "datetime64[s]"), _all_or_none(path, cells, lines, offsets)


def _unix(path: Path, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    seconds = []
    for line, cell in zip(lines, cells, strict=True):
        found = _UNIX.fullmatch(cell)
        if found is None:
            raise ValueError(
                f"{path}, line {line}: {cell!r} is no time in seconds (9 or 10 digits) or "
                "milliseconds (12 or 13) since 1970"
            )
        seconds.append(int(found[1]) if found[1] else int(found[2]) // 1000)
    return np.array(seconds, np.int64).astype("datetime64[s]")
