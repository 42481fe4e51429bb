"""Functions of rows, evaluated block by block for large graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from geozoo.ops._blockwise import saves_memory
from geozoo.ops._textbook import recomputed

#: Bytes of the arguments of a block.
BLOCK_BYTES = 8 << 20


def in_row_blocks(
    function: Callable[..., Tensor],
    *tensors: Tensor,
    weights: Iterable[Tensor] = (),
    intermediates: int = 16,
) -> Tensor:
    """Apply a function to rows.

    For large graphs on a CPU, blocks of rows are processed one after the other, and again in the
    backward pass, so that memory holds the arguments and the result only. This requires that
    ``weights`` need no gradient, as when a trained model is evaluated. Values and derivatives of
    any order agree up to rounding.

    Args:
        function: called with rows of the tensors; its result has a row for each, which depends on
            the same row of the arguments only.
        tensors: arguments ``[N, ...]``.
        weights: parameters on which the function depends.
        intermediates: about how many tensors of the size of the first one the function stores.

    >>> in_row_blocks(lambda a, b: a * b, torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([3., 8.])
    """
    first = tensors[0]
    if not saves_memory(first, lambda: intermediates * first.numel(), weights):
        return function(*tensors)
    size = max(1, BLOCK_BYTES * len(first) // max(1, first.numel() * first.element_size()))
    parts = []
    for begin in range(0, len(first), size):
        rows = [tensor[begin : begin + size] for tensor in tensors]
        if torch.is_grad_enabled():
            parts.append(recomputed(function, *rows, keeps_random=False))
        else:
            parts.append(function(*rows))
    return torch.cat(parts)
