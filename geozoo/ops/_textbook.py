"""Switch between the equations as written and faster equivalent forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch.utils.checkpoint import checkpoint

_Result = TypeVar("_Result")

_is_on = False


@contextmanager
def textbook(when: bool = True) -> Iterator[None]:
    """Context in which layers and operations evaluate their equations as written.

    By default the operations of this package and layers use faster, equivalent forms that need less
    memory: sums over edges without stored messages, merged weights, blockwise evaluation. Results
    and derivatives of any order agree up to rounding. Results computed in this context keep their
    derivatives as written, even if these are evaluated outside. The switch is global to all
    threads.

    Args:
        when: whether to switch; if False, nothing changes.

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
    """Return whether equations are evaluated as written."""
    return _is_on


def recomputed(function: Callable[..., _Result], *args: Any, keeps_random: bool) -> _Result:
    """Call a function with activation checkpointing: intermediates are recomputed in backward.

    Both calls use the same form, inside or outside of `textbook`, wherever the backward pass runs.

    Args:
        function: function to call.
        args: its arguments.
        keeps_random: whether the recomputation draws the same random numbers as the first call.
    """
    options: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": keeps_random}
    if is_textbook():
        return checkpoint(_as_written, function, *args, **options)
    return checkpoint(function, *args, **options)


def _as_written(function: Callable[..., _Result], *args: Any) -> _Result:
    with textbook():
        return function(*args)
