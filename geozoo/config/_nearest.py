"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The closest known name, or None if none is similar.

    >>> nearest("num_layer", ["num_layers", "degree"])
    'num_layers'
    """
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
