"""Checks of values: counts, choices, seeds, cutoffs, times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Larger values exhaust memory before PyTorch raises.
_LARGEST = 2**31 - 1
_LARGEST_RADIUS = 1e15


def check_positive(**sizes: int) -> None:
    """Check that sizes are whole numbers that a tensor or a list of layers can have.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, size in sizes.items():
        _check_whole(name, size, least=1)


def check_not_negative(**sizes: int) -> None:
    """Check the same of sizes that may be 0.

    Raises:
        ValueError: naming the first that is not.
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
    """Check a cut-off.

    Args:
        radius: what was given.
        optional: whether None, for no cut-off, will do.

    Raises:
        ValueError: for one that is not positive, or whose square is more than float32 can hold.
    """
    if radius is None and optional:
        return
    kind = "positive or None" if optional else "positive"
    if radius is None or not radius > 0:
        raise ValueError(f"radius must be {kind}, got {radius!r}")
    if radius > _LARGEST_RADIUS:
        raise ValueError(f"radius must be at most {_LARGEST_RADIUS:g}, got {radius!r}")


def checked_times(times: Sequence[float]) -> tuple[float, ...]:
    """Return the times of a solver as floats.

    Raises:
        ValueError: for fewer than two.
    """
    if len(times) < 2:
        raise ValueError(f"times must hold at least two times, got {tuple(times)}")
    return tuple(float(time) for time in times)


def check_whole(name: str, value: Any, least: int) -> None:
    """Check a count in a description, which need not be the size of a tensor.

    Raises:
        ValueError: naming it, for anything but an integer of at least ``least``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")


def check_seed(seed: int, name: str = "seed") -> int:
    """Return a seed that numpy's generators take.

    Args:
        seed: what was given.
        name: name of the argument, for the message.

    Raises:
        ValueError: for anything but a whole number from 0 on.
    """
    check_whole(name, seed, 0)
    return seed


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Check a name among several.

    Raises:
        ValueError: naming the argument and the known names, for another one.
    """
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
