"""Telling a lack of memory from other errors."""

from __future__ import annotations

import torch

_ON_CPU = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on an accelerator or in main memory.

    On a CPU torch raises a plain RuntimeError, which its text alone tells from others.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _ON_CPU)
