"""Finding the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, if any is like it.

    >>> nearest("num_layer", ["num_layers", "degree"])
    'num_layers'
    """
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
