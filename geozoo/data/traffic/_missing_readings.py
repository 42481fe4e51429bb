"""Sentinel values of missing readings: declared ones, and suspected ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Fewer values than this do not define a range.
_ENOUGH = 20
#: Largest number of reported values.
_NAMED = 4
_REPEATS = 3


@dataclass(frozen=True)
class MissingRule:
    """Values that denote a missing reading, in addition to empty cells and NaN.

    Attributes:
        zero_is_missing: whether 0 does.
        missing: further sentinel values.

    Raises:
        ValueError: If ``missing`` contains anything but numbers.
    """

    zero_is_missing: bool = False
    missing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Validate the sentinel values."""
        bad = [
            value
            for value in self.missing
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value
        ]
        if bad:
            raise ValueError(
                f"missing must be a list of numbers such as [-9999, -1], got {bad[0]!r}"
            )

    def observed(self, values: np.ndarray) -> np.ndarray:
        """Mask of the values that are readings."""
        found = ~np.isnan(values)
        if self.zero_is_missing:
            found &= values != 0
        if self.missing:
            found &= ~np.isin(values, np.array(self.missing, dtype=np.float64))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a record."""
        return {"zero_is_missing": self.zero_is_missing, "missing": list(self.missing)}


def outlying_values(values: np.ndarray | Sequence[float]) -> list[tuple[float, int]]:
    """Values so far outside all others that they may denote missing readings, and their counts.

    The smallest and the largest value are examined in turn, excluding those already reported. A
    value is reported if its distance to the next value exceeds three times the range of all other
    values, or once that range if it occurs at least three times. A negative value that occurs at
    least three times while all others are non-negative is also reported. At least 20 other values,
    not all equal, are required.

    Args:
        values: the readings, in any shape; NaN are ignored.

    >>> outlying_values([*range(20, 60), -9999, 999, 999, 999])
    [(-9999.0, 1), (999.0, 3)]
    """
    left = np.asarray(values, dtype=np.float64).ravel()
    left = left[np.isfinite(left)]
    found: list[tuple[float, int]] = []
    while len(found) < _NAMED:
        # The farther end first: it would inflate the range for the other one.
        middle = np.median(left) if len(left) else 0.0
        ends = sorted({left.min(), left.max()}, key=lambda v: -abs(v - middle)) if len(left) else []
        for end in ends:
            others = left[left != end]
            if len(others) >= _ENOUGH and _is_outside(end, len(left) - len(others), others):
                found.append((float(end), len(left) - len(others)))
                left = others
                break
        else:
            break
    return found


def outlier_notes(values: np.ndarray) -> tuple[str, ...]:
    """A warning for each value from :func:`outlying_values`."""
    return tuple(
        f"{SUSPECT} {value:g} ({count} times) lies far outside all other values; if it denotes a "
        f"missing reading, set dataset.missing=[{value:g}]"
        for value, count in outlying_values(values)
    )


#: Start of the note on a suspected sentinel value.
SUSPECT = "the value"


def _is_outside(end: float, count: int, others: np.ndarray) -> bool:
    low, high = others.min(), others.max()
    spread = high - low
    if spread == 0:
        return False
    away = low - end if end < low else end - high
    repeats = count >= _REPEATS
    return bool(away > (1 if repeats else 3) * spread or (repeats and end < 0 <= low))
