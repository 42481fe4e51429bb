"""A learned matrix on top of a given graph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.nn._checks import check_positive, check_shape


class SpatialMask(nn.Module):
    """Add a learned dense matrix M to a normalised adjacency A: the shared spatial weights.

    The paper speaks of a mask; what is computed is the sum A + M, with M drawn from the standard
    normal distribution at the start, as in the published code.

    Args:
        num_nodes: number N of sensors.
        copies: number G of matrices; None: one, without that axis.

    Raises:
        ValueError: for sizes below 1.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (shared weights).
    """

    def __init__(self, num_nodes: int, *, copies: int | None = None) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, copies=1 if copies is None else copies)
        self.num_nodes = num_nodes
        shape = (num_nodes, num_nodes) if copies is None else (copies, num_nodes, num_nodes)
        self.mask = nn.Parameter(torch.randn(shape))

    def forward(self, adjacency: Float[Tensor, "N N"]) -> Float[Tensor, "*G N N"]:
        """Return A + M, ``[N, N]`` or ``[G, N, N]``.

        Args:
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: for another shape.
        """
        check_shape("adjacency", adjacency, "N N", self.num_nodes, self.num_nodes)
        return adjacency + self.mask
