"""Convolution by Chebyshev polynomials of the graph Laplacian."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive, check_shape
from geozoo.nn.graph._propagate import propagate


class ChebyshevConv(nn.Module):
    r"""Chebyshev graph convolution: learned polynomial of the scaled Laplacian.

    .. math:: y = \sum_{k=0}^{K-1} T_k(\tilde L)\, x\, W_k + b, \quad
        T_k(\tilde L) = 2 \tilde L\, T_{k-1}(\tilde L) - T_{k-2}(\tilde L)

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        order: number K of Chebyshev polynomials.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        M. Defferrard, X. Bresson, P. Vandergheynst, NeurIPS 2016, arXiv:1606.09375, as in B. Yu,
        H. Yin, Z. Zhu, STGCN, IJCAI 2018, arXiv:1709.04875, eq. 3.
    """

    def __init__(self, in_channels: int, out_channels: int, *, order: int = 3) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, order=order)
        self.in_channels, self.order = in_channels, order
        self.linear = nn.Linear(order * in_channels, out_channels)

    def forward(
        self, x: Float[Tensor, "B N *steps C"], laplacian: Float[Tensor, "N N"]
    ) -> Float[Tensor, "B N *steps out"]:
        """Return the convolved features.

        Args:
            x: features of the sensors, of one or several time steps.
            laplacian: rescaled to eigenvalues in [-1, 1], see `geozoo.geometry.scaled_laplacian`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_last_axis("x", x, "C", self.in_channels)
        num_nodes = x.shape[1]
        check_shape("laplacian", laplacian, "N N", num_nodes, num_nodes)
        parts = [x]
        if self.order > 1:
            parts.append(propagate(laplacian, x))
        while len(parts) < self.order:
            parts.append(2 * propagate(laplacian, parts[-1]) - parts[-2])
        return self.linear(torch.cat(parts, -1))
