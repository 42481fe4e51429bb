"""Checks of seeds."""

from __future__ import annotations


def check_seed(seed: int, name: str = "seed") -> int:
    """Return a seed that numpy's generators take.

    Args:
        seed: what was given.
        name: name of the argument, for the message.

    Raises:
        ValueError: for anything but a whole number from 0 on.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"{name} must be a whole number >= 0, got {seed!r}")
    return seed
