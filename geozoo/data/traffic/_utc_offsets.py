"""Clocks that are ahead of UTC or behind it, and daylight saving."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

#: Daylight saving moves a clock by an hour at most, and not again within this time.
_HOUR, _SEASON = 3600, 21 * 86400


def check_offsets(
    path: Path, cells: Sequence[str], lines: Sequence[int], utc: np.ndarray, offsets: np.ndarray
) -> None:
    """Refuse offsets that differ by more than the daylight saving of one place."""
    order = np.argsort(utc, kind="stable")
    by_time, moments = offsets[order], utc[order]
    changes = np.flatnonzero(np.diff(by_time)) + 1
    too_often = np.diff(moments[changes]).astype(np.int64) < _SEASON
    if len(np.unique(offsets)) > 2 or np.ptp(offsets) > _HOUR or too_often.any():
        other = int(np.flatnonzero(offsets != offsets[0])[0])
        raise ValueError(
            f"{path}: the UTC offsets change by more than daylight saving does: line {lines[0]} "
            f"has {cells[0]}, line {lines[other]} has {cells[other]}. Write the local times of one "
            "place, or give dataset.form.time_zone=Europe/Berlin, for example"
        )


def offset_text(offset: int) -> str:
    """Seconds ahead of UTC as text, ``"+07:00"``."""
    sign, minutes = "-" if offset < 0 else "+", abs(int(offset)) // 60
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def offset_of(zone: str | None) -> int | None:
    """Seconds ahead of UTC of a text like ``"Z"``, ``"+07"`` or ``"+07:00"``; None of None."""
    if zone is None:
        return None
    if zone in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (3600 * int(digits[:2]) + 60 * int(digits[2:])) * (-1 if zone[0] == "-" else 1)


def to_zone(local: np.ndarray, offsets: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """The local clock of a zone, and its offsets."""
    place, utc = ZoneInfo(zone), local - offsets.astype("timedelta64[s]")
    ahead = []
    for moment in utc.tolist():
        offset = moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(place).utcoffset()
        ahead.append(int(offset / timedelta(seconds=1)))
    found = np.array(ahead, np.int64)
    return utc + found.astype("timedelta64[s]"), found


def minutes_apart(one: Sequence[str], other: Sequence[str]) -> int | None:
    """The least distance of two clocks in minutes; None where one of them is not known.

    >>> minutes_apart(["+01:00", "+02:00"], ["-03:30"])
    270
    """
    apart = (abs((offset_of(a) or 0) - (offset_of(b) or 0)) for a in one for b in other)
    return min((seconds // 60 for seconds in apart), default=None)
