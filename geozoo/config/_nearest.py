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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question about the closest known name, with a leading space; empty if none is similar.

    >>> did_you_mean("num_layer", ["num_layers", "degree"])
    ' Did you mean num_layers?'
    """
    near = nearest(word, known)
    return f" Did you mean {near}?" if near else ""
