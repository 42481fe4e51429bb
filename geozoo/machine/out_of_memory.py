"""Distinguishing out-of-memory errors from others."""

from __future__ import annotations

import torch

_ON_CPU = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that an accelerator or the host ran out of memory.

    On a CPU, PyTorch raises a plain RuntimeError that only its message distinguishes.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _ON_CPU)
