"""Checks that times increase in steps of one interval; errors name the first violation."""

from __future__ import annotations

import numpy as np


def check_times(times: np.ndarray, interval: int, source: str = "") -> None:
    """Raise an error for the first time that is repeated, out of order or off the grid."""
    if np.isnat(times).any():
        row = int(np.flatnonzero(np.isnat(times))[0])
        raise ValueError(f"{_of(source)}times: step {row} has no time")
    ahead = _seconds_ahead(times)
    off = (ahead > 0) & (ahead % (60 * interval) != 0)
    faults = ((f"not a multiple of {interval} minutes after the one before it", off),)
    _name_first(times, (*_order_faults(ahead), *faults), f"multiples of {interval} minutes", source)


def check_order(times: np.ndarray, source: str = "") -> None:
    """Raise an error for the first time that is repeated or out of order."""
    _name_first(times, _order_faults(_seconds_ahead(times)), "one interval or more", source)


def _seconds_ahead(times: np.ndarray) -> np.ndarray:
    return np.diff(times).astype("timedelta64[s]").astype(np.int64)


def _order_faults(ahead: np.ndarray) -> tuple[tuple[str, np.ndarray], ...]:
    set_back = " (an hour repeats at the end of daylight saving time: remove one occurrence, or "
    set_back += "add the UTC offset to the times)"
    return (
        (f"repeated{set_back}", ahead == 0),
        (f"out of order: it is earlier than the one before it{set_back}",
         (ahead < 0) & (ahead >= -3600)),
        ("out of order: it is earlier than the one before it", ahead < -3600),
    )  # fmt: skip


def _name_first(
    times: np.ndarray, faults: tuple[tuple[str, np.ndarray], ...], by: str, source: str
) -> None:
    found = [(int(np.flatnonzero(at)[0]) + 1, what) for what, at in faults if at.any()]
    if found:
        row, what = min(found)
        raise ValueError(
            f"{_of(source)}times must increase by {by}: {times[row]} in step {row} is {what} "
            f"({times[row - 1]})"
        )


def _of(source: str) -> str:
    return f"{source}: " if source else ""
