"""Value checks: counts, choices, seeds, cutoffs, times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Larger values exhaust memory before PyTorch raises.
_LARGEST = 2**31 - 1
_LARGEST_RADIUS = 1e15


def check_positive(**sizes: int) -> None:
    """Check that sizes are positive integers that a tensor or a list of layers can have.

    Raises:
        ValueError: If one of them is not; the message names the first.
    """
    for name, size in sizes.items():
        _check_whole(name, size, least=1)


def check_not_negative(**sizes: int) -> None:
    """As `check_positive`, for sizes that may be 0.

    Raises:
        ValueError: If one of them is not; the message names the first.
    """
    for name, size in sizes.items():
        _check_whole(name, size, least=0)


def _check_whole(name: str, size: int, *, least: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int):
        raise ValueError(f"{name} must be a whole number, got {size!r}")
    if not least <= size <= _LARGEST:
        bound = f"least {least}" if size < least else f"most {_LARGEST}"
        raise ValueError(f"{name} must be at {bound}, got {size!r}")


def check_radius(radius: float | None, *, optional: bool = False) -> None:
    """Check a cutoff radius.

    Args:
        radius: the value to check.
        optional: whether None (no cutoff) is allowed.

    Raises:
        ValueError: If the radius is not positive, or its square overflows float32.
    """
    if radius is None and optional:
        return
    kind = "positive or None" if optional else "positive"
    if radius is None or not radius > 0:
        raise ValueError(f"radius must be {kind}, got {radius!r}")
    if radius > _LARGEST_RADIUS:
        raise ValueError(f"radius must be at most {_LARGEST_RADIUS:g}, got {radius!r}")


def checked_times(times: Sequence[float]) -> tuple[float, ...]:
    """Return the times of an ODE solver as floats.

    Raises:
        ValueError: If there are fewer than two.
    """
    if len(times) < 2:
        raise ValueError(f"times must hold at least two times, got {tuple(times)}")
    return tuple(float(time) for time in times)


def check_whole(name: str, value: Any, least: int) -> None:
    """Check a count that is not the size of a tensor.

    Raises:
        ValueError: If ``value`` is not an integer of at least ``least``; the message names it.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")


def check_seed(seed: int, name: str = "seed") -> int:
    """Return a seed that NumPy's generators accept.

    Args:
        seed: the value to check.
        name: argument name, for the message.

    Raises:
        ValueError: If the seed is not a non-negative integer.
    """
    check_whole(name, seed, 0)
    return seed


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Check that a value is one of several names.

    Raises:
        ValueError: If it is not; the message lists the known names.
    """
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
