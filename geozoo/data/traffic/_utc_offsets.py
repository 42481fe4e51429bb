"""UTC offsets and daylight saving time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

#: Daylight saving time shifts the clock by at most an hour, and at most once within this time.
_HOUR, _SEASON = 3600, 21 * 86400


def check_offsets(
    path: Path, cells: Sequence[str], lines: Sequence[int], utc: np.ndarray, offsets: np.ndarray
) -> None:
    """Check that offsets differ by no more than the daylight saving time of one place."""
    order = np.argsort(utc, kind="stable")
    by_time, moments = offsets[order], utc[order]
    changes = np.flatnonzero(np.diff(by_time)) + 1
    too_often = np.diff(moments[changes]).astype(np.int64) < _SEASON
    if len(np.unique(offsets)) > 2 or np.ptp(offsets) > _HOUR or too_often.any():
        other = int(np.flatnonzero(offsets != offsets[0])[0])
        raise ValueError(
            f"{path}: the UTC offsets vary by more than daylight saving time: line {lines[0]} has "
            f"{cells[0]}, line {lines[other]} has {cells[other]}. Use the local times of one "
            "place, or set dataset.form.time_zone, for example to Europe/Berlin"
        )


def offset_text(offset: int) -> str:
    """A UTC offset in seconds as text, ``"+07:00"``."""
    sign, minutes = "-" if offset < 0 else "+", abs(int(offset)) // 60
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def offset_of(zone: str | None) -> int | None:
    """UTC offset in seconds of a text such as ``"Z"``, ``"+07"`` or ``"+07:00"``; None for None."""
    if zone is None:
        return None
    if zone in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (3600 * int(digits[:2]) + 60 * int(digits[2:])) * (-1 if zone[0] == "-" else 1)


def to_zone(local: np.ndarray, offsets: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Convert to the local time of a zone; also returns its offsets."""
    target, utc = ZoneInfo(zone), local - offsets.astype("timedelta64[s]")
    ahead = []
    for moment in utc.tolist():
        offset = moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(target).utcoffset()
        ahead.append(int(offset / timedelta(seconds=1)))
    found = np.array(ahead, np.int64)
    return utc + found.astype("timedelta64[s]"), found


def minutes_apart(one: Sequence[str], other: Sequence[str]) -> int | None:
    """Smallest difference between two sets of UTC offsets in minutes; None if one is unknown.

    >>> minutes_apart(["+01:00", "+02:00"], ["-03:30"])
    270
    """
    apart = (abs((offset_of(a) or 0) - (offset_of(b) or 0)) for a in one for b in other)
    return min((seconds // 60 for seconds in apart), default=None)
