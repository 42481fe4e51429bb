"""UTC offsets of clocks, as texts like ``"+07:00"``."""

from __future__ import annotations

from collections.abc import Sequence


def minutes_apart(one: Sequence[str], other: Sequence[str]) -> int | None:
    """The least distance of two clocks in minutes; None where one of them is not known.

    >>> minutes_apart(["+01:00", "+02:00"], ["-03:30"])
    270
    """
    return min((abs(_minutes(a) - _minutes(b)) for a in one for b in other), default=None)


def _minutes(offset: str) -> int:
    hours, minutes = offset[1:].split(":")
    return (60 * int(hours) + int(minutes)) * (-1 if offset[0] == "-" else 1)
