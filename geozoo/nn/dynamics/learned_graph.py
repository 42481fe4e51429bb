"""A graph learned end to end from the forecasting loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive


class LearnedGraph(nn.Module):
    r"""Self-adaptive adjacency from two learned embeddings per sensor.

    .. math::
        A_{ij} = \mathrm{softmax}_j\big(\mathrm{ReLU}(E_i \cdot F_j)\big)

    It needs no road network and does not depend on the input. The graph is directed, and its rows
    sum to one.

    Args:
        num_nodes: number N of sensors.
        channels: width of the embeddings, which are initialised as standard normal.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Z. Wu, S. Pan, G. Long, J. Jiang, C. Zhang, Graph WaveNet for Deep Spatial-Temporal Graph
        Modeling, IJCAI 2019, arXiv:1906.00121, equation 5 (self-adaptive adjacency matrix).
    """

    def __init__(self, num_nodes: int, channels: int = 10) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels)
        self.num_nodes, self.channels = num_nodes, channels
        self.receivers = nn.Parameter(torch.randn(num_nodes, channels))
        self.senders = nn.Parameter(torch.randn(num_nodes, channels))

    def forward(self) -> Float[Tensor, "N N"]:
        """Return the adjacency; the weight of j -> i is at ``[i, j]``."""
        return functional.softmax(functional.relu(self.receivers @ self.senders.mT), -1)
