"""The check of names that a user chooses."""

from __future__ import annotations


def check_word(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ValueError, naming the argument and the known words, for another word."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
