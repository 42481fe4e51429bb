"""A learned dense correction of a given adjacency."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape


class SpatialMask(nn.Module):
    r"""Combine a normalised adjacency A with a learned dense matrix M: the shared spatial weights.

    The published code computes the sum A + M with M initialised as standard normal; the paper
    describes an element-wise mask, the product :math:`A \odot M`.

    Args:
        num_nodes: number N of sensors.
        copies: number G of matrices; None: a single matrix without that axis.
        mode: ``"sum"``, with M initialised around 0; or ``"product"``, with M initialised around 1.
        std: standard deviation of the initialisation.

    Raises:
        ValueError: If a size is below 1, ``mode`` is unknown, or ``std`` is negative.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (shared weights).
    """

    def __init__(
        self,
        num_nodes: int,
        *,
        copies: int | None = None,
        mode: Literal["sum", "product"] = "sum",
        std: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, copies=1 if copies is None else copies)
        if mode not in ("sum", "product"):
            raise ValueError(f'mode must be "sum" or "product", got {mode!r}')
        if not std >= 0:
            raise ValueError(f"std must be at least 0, got {std!r}")
        self.num_nodes, self.mode = num_nodes, mode
        shape = (num_nodes, num_nodes) if copies is None else (copies, num_nodes, num_nodes)
        self.mask = nn.Parameter(std * torch.randn(shape) + (mode == "product"))

    def forward(self, adjacency: Float[Tensor, "N N"]) -> Float[Tensor, "*G N N"]:
        """Return the learned adjacency, ``[N, N]`` or ``[G, N, N]``.

        Args:
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("adjacency", adjacency, "N N", self.num_nodes, self.num_nodes)
        return adjacency * self.mask if self.mode == "product" else adjacency + self.mask
