"""Compare two variants of a model by their parameter gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def parameter_gradient(model: nn.Module) -> Tensor:
    """All parameter gradients concatenated into one vector."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def relative_difference(gradient: Tensor, reference: Tensor) -> float:
    """Norm of the difference, relative to that of the reference."""
    return ((gradient - reference).norm() / reference.norm()).item()
