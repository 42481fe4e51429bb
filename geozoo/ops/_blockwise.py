"""When large tensors are evaluated block by block, and recomputed in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_autocast, is_traced

#: Tensors that are not larger are evaluated at once, as in training.
SMALL_BYTES = 64 << 20


def saves_memory(like: Tensor, numel: Callable[[], int], weights: Iterable[Tensor]) -> bool:
    """Return whether an intermediate result should be recomputed instead of stored.

    This is so for large results of trained networks on a CPU: memory limits the size of the graphs
    there, and no gradient of a weight is needed.

    Args:
        like: tensor with the device and the dtype of the result.
        numel: returns the number of elements of the result; not called by a tracer, which would fix
            the size as a constant.
        weights: weights on which it depends.
    """
    if is_traced() or is_textbook() or like.device.type != "cpu":
        return False
    if numel() * like.element_size() <= SMALL_BYTES or is_autocast(like):
        return False
    return not torch.is_grad_enabled() or not any(weight.requires_grad for weight in weights)
