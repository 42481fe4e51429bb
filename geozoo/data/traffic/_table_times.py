"""Parsing local times from table cells, in the common formats."""

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
    """The format of times.

    Attributes:
        time_format: a ``datetime.strptime`` format, or ``"unix"`` for seconds (13 digits:
            milliseconds) since 1970; None: detected from the cells.
        time_zone: zone name such as ``"Europe/Berlin"``, to which times with a UTC offset or Unix
            times are converted; None: the local time as written.
        day_first: whether 01/02/2024 is the first of February, if no cell of the table decides;
            None: an ambiguous table raises an error.

    Raises:
        ValueError: If the zone is unknown.
    """

    time_format: str | None = None
    time_zone: str | None = None
    day_first: bool | None = None

    def __post_init__(self) -> None:
        """Validate the zone."""
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(
                    f"time_zone must be a zone name such as Europe/Berlin, got {self.time_zone!r}"
                ) from None


class Times(NamedTuple):
    """Times of a column.

    Attributes:
        local: datetime64[s] ``[R]``, local time.
        offsets: UTC offset in seconds ``[R]``; None if unknown.
        facts: detected properties, for the record: ``utc_offsets``, ``day_first``.
        notes: remarks for the user.
    """

    local: np.ndarray
    offsets: np.ndarray | None
    facts: dict[str, Any]
    notes: tuple[str, ...] = ()


def is_time(cell: str) -> bool:
    """Whether a cell looks like a time in one of the detected formats."""
    return any(form.fullmatch(cell) for form in (_YEAR_FIRST, _YEAR_LAST, _UNIX))


def read_times(path: Path, cells: Sequence[str], lines: Sequence[int], form: TimeForm) -> Times:
    """The times of a column, all in the same format.

    A UTC offset is dropped if it is constant or changes only with daylight saving time, since time
    of day and weekday refer to the local time as written.

    Args:
        path: the table, for messages.
        cells: the column.
        lines: line number of each cell.
        form: the time format.

    Raises:
        ValueError: If a cell does not match the format, the order of day and month is ambiguous, or
            offsets differ by more than daylight saving time; the message gives file and line.
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
                f"{path}: time_zone={form.time_zone} requires times with a UTC offset or Unix "
                f"times, got {cells[0]!r}"
            )
        return Times(local, None, facts)
    if form.time_zone is not None:
        local, offsets = to_zone(local, offsets, form.time_zone)
    known = [offset_text(offset) for offset in np.unique(offsets)]
    if len(known) > 1:
        check_offsets(path, cells, lines, local - offsets.astype("timedelta64[s]"), offsets)
    if form.time_zone is not None:
        note = f"times are converted to local time in {form.time_zone}"
    elif known == ["+00:00"]:
        note = (
            "times are in UTC, and so are time of day and weekday; to convert to local time, set "
            "dataset.form.time_zone, for example to Europe/Berlin"
        )
    else:
        note = f"the UTC offset of the times ({' and '.join(known)}) is dropped: times are local"
    return Times(local, offsets, {**facts, "utc_offsets": known}, (note,))


def rows_in_order(times: Times) -> tuple[np.ndarray, tuple[str, ...]]:
    """Row indices in chronological order, and notes on what was changed.

    A table with the newest row first is reversed. Of the hour repeated at the end of daylight
    saving time, the second occurrence is dropped if offsets distinguish the two. Any other order
    is unchanged.
    """
    moments = times.local
    if times.offsets is not None:
        moments = moments - times.offsets.astype("timedelta64[s]")
    rows, notes = np.arange(len(moments)), list(times.notes)
    ahead = np.diff(moments).astype(np.int64)
    if len(ahead) and (ahead < 0).all():
        rows, ahead = rows[::-1], -ahead[::-1]
        notes.append("rows were in reverse chronological order and are reversed")
    if times.offsets is not None and (ahead > 0).all():
        local = times.local[rows]
        newest = np.maximum.accumulate(local)
        kept = np.concatenate([[True], local[1:] > newest[:-1]])
        if not kept.all():
            rows = rows[kept]
            notes.append(
                f"{(~kept).sum()} rows in hours repeated at the end of daylight saving time are "
                "dropped; the first occurrence is kept"
            )
    return rows, tuple(notes)


def _no_time(path: Path, line: int, cell: str, like: str) -> ValueError:
    return ValueError(
        f"{path}: the first column must hold times like {like}, but line {line} has {cell!r}; for "
        f"another format set {_OPTION}, for another column dataset.form.time_column, and for a "
        "table without times dataset.start and dataset.interval"
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
    """Parse with the order of day and month inferred from a cell with a day after the 12th."""
    parts = []
    for line, cell in zip(lines, cells, strict=True):
        found = _YEAR_LAST.fullmatch(cell)
        if found is None:
            raise _no_time(path, line, cell, cells[0])
        parts.append(found.groups())
    firsts, seconds = (np.array([int(p[group]) for p in parts]) for group in (0, 2))
    shown = [order for order, high in ((True, firsts), (False, seconds)) if (high > 12).any()]
    if len(shown) == 2:
        first, second = (int(np.flatnonzero(high > 12)[0]) for high in (firsts, seconds))
        raise ValueError(
            f"{path}: the order of day and month is inconsistent: line {lines[first]} has "
            f"{cells[first]}, "
            f"line {lines[second]} has {cells[second]}"
        )
    if shown:
        day_first = shown[0]
    elif day_first is None and parts[0][1] == ".":  # dots are used for day.month.year only
        day_first = True
    if day_first is None:
        clock = "" if parts[0][4] is None else " %H:%M" + ("" if parts[0][6] is None else ":%S")
        mark = parts[0][1]
        raise ValueError(
            f"{path}: the order of day and month is ambiguous in {cells[0]} and in all other rows; "
            f'set dataset.form.time_format="%d{mark}%m{mark}%Y{clock}" (day first) or '
            f'"%m{mark}%d{mark}%Y{clock}" (month first)'
        )
    day, month = (0, 2) if day_first else (2, 0)
    ordered = [(p[3], p[month], p[day], *p[4:]) for p in parts]
    return *_gathered(path, cells, lines, ordered), day_first


def _gathered(
    path: Path, cells: Sequence[str], lines: Sequence[int], parts: list[tuple[Any, ...]]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Times from year, month, day, hour, minute, second, AM/PM and zone."""
    texts, offsets = [], []
    for line, cell, (*numbers, half, zone) in zip(lines, cells, parts, strict=True):
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        if half is not None and 1 <= hour <= 12:
            hour = hour % 12 + (12 if half[0] in "Pp" else 0)
        midnight = (hour, minute, second) == (24, 0, 0)  # end of day in ISO 8601
        try:
            moment = datetime(year, month, day, 0 if midnight else hour, minute, second)
            texts.append(moment + timedelta(days=midnight))
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {cell!r} is not a time: {error}") from None
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
                f"{path}, line {line}: {cell!r} does not match time_format={form!r}: {error}"
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
                f"{path}, line {line}: {cell!r} is not a Unix time in seconds (9 or 10 digits) or "
                "milliseconds (12 or 13 digits)"
            )
        seconds.append(int(found[1]) if found[1] else int(found[2]) // 1000)
    return np.array(seconds, np.int64).astype("datetime64[s]")
