"""Whether layers and operations compute by their equations as written, or by faster equal forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch.utils.checkpoint import checkpoint

_Result = TypeVar("_Result")

_is_on = False


@contextmanager
def textbook(when: bool = True) -> Iterator[None]:
    """Within this context everything is computed by the equations as they are written.

    Operations of this room and layers have faster forms of the same equations that keep less in
    memory: sums over edges without messages, weights that are merged beforehand, expressions that
    are evaluated piece by piece. Results agree up to rounding, derivatives of any order included.
    What was computed within keeps its derivatives as written, wherever they are asked for. The
    switch is one for all threads.

    Args:
        when: False: nothing changes.

    >>> with textbook():
    ...     is_textbook()
    True
    >>> is_textbook()
    False
    """
    global _is_on
    before = _is_on
    _is_on = before or when
    try:
        yield
    finally:
        _is_on = before


def is_textbook() -> bool:
    """Return whether equations are to be computed as they are written."""
    return _is_on


def recomputed(function: Callable[..., _Result], *args: Any, keeps_random: bool) -> _Result:
    """Call a function and forget what is inside of it until the backward pass calls it again.

    Both calls are in the same form, within `textbook` or without, wherever the backward pass runs.

    Args:
        function: what to call.
        args: its arguments.
        keeps_random: whether the second call draws the random numbers of the first one again.
    """
    options: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": keeps_random}
    if is_textbook():
        return checkpoint(_as_written, function, *args, **options)
    return checkpoint(function, *args, **options)


def _as_written(function: Callable[..., _Result], *args: Any) -> _Result:
    with textbook():
        return function(*args)
