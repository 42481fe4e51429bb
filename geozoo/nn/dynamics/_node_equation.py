"""Right-hand side of the node ODE, term by term as in the equation."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.nn.dynamics._bounded_matrix import bounded_matrix

#: Strength of the orthogonality correction of the channel matrix.
BETA = 0.6


def channel_matrix(weight: Tensor, diagonal: Tensor) -> Tensor:
    r"""Return :math:`W = (1 + \beta) V - \beta V V^T V` of `geozoo.nn.NodeODE`."""
    matrix = bounded_matrix(weight, diagonal)
    return (1 + BETA) * matrix - BETA * (matrix @ matrix.mT @ matrix)


def node_equation(
    state: Tensor, initial: Tensor, graph: Tensor, left: Tensor, right: Tensor,
    alpha: Tensor, weight: Tensor, diagonal: Tensor,
) -> Tensor:  # fmt: skip
    """Return the time derivative of ``state [B, N, T, C]`` of one `geozoo.nn.NodeODE` module."""
    rate = (torch.sigmoid(alpha) / 2).view(1, -1, 1, 1)
    spread = rate * torch.einsum("ij,bjtc->bitc", graph, state)
    rows = state.permute(0, 3, 2, 1)  # [B, C, T, N]
    scores = torch.sigmoid((left.mT @ rows) @ (right.mT @ rows).mT)
    mixed = (scores @ rows).permute(0, 3, 2, 1)
    channels = state @ channel_matrix(weight, diagonal)
    return spread - state + mixed - state + channels - state + initial
