"""Values and derivatives of tensors, for comparisons of two forms of a layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def derivatives(values: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Values, and first and second derivatives along fixed directions."""
    found, total = list(values), sum((value + 0.2).square().sum() for value in values)
    for _ in range(2):
        grads = torch.autograd.grad(
            total, inputs, create_graph=True, allow_unused=True, materialize_grads=True
        )
        found += grads
        total = sum(((grad + 0.1) * grad.detach().roll(1, 0)).square().sum() for grad in grads)
    return found
