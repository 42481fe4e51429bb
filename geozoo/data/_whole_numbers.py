"""The check of counts in descriptions and protocols."""

from __future__ import annotations

from typing import Any


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise ValueError, naming it, for what is no whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
