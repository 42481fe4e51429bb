"""Scale and shift of node outputs per element."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ElementScaling(nn.Module):
    r"""Scale and shift scalars by linear functions of the inputs, per element for one-hot inputs.

    .. math:: y_i \leftarrow (1 + s^T x_i)\, y_i + t^T x_i

    The parameters s and t are zero initially.

    Args:
        in_channels: number of inputs.
        out_channels: number of scalars.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(in_channels, out_channels))
        self.shift = nn.Parameter(torch.zeros(in_channels, out_channels))

    def forward(self, scalar: Float[Tensor, "N C"], x: Float[Tensor, "N S"]) -> Tensor:
        """Return the scaled and shifted scalars."""
        return scalar * (1 + x @ self.scale) + x @ self.shift
