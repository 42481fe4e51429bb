"""Convolution over a cloud of points."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.nn.conv._kernel import (
    calibration_scale,
    check_features,
    check_groups,
    convolve_edges,
    convolve_pairs,
    kernel_width,
)


class PointConv(nn.Module):
    r"""Convolve features on points with a kernel given in a basis of pair invariants.

    .. math:: y_i = \sum_{j \to i} (W b_{ij}) \odot x_j + \beta

    The points may be plain positions, or positions with an orientation each. The layer knows
    nothing of geometry: equivariance follows from the invariance of the basis values b.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        basis_channels: number K of basis functions.
        groups: ``in_channels`` for one weight per channel (depthwise, the default); 1 for a full
            matrix per pair, with ``in_channels`` times the work.

    Raises:
        ValueError: if ``groups`` is neither, or depthwise sizes differ.

    Reference:
        Bekkers et al., ICLR 2024, eq. 6.
    """

    def __init__(
        self, in_channels: int, out_channels: int, basis_channels: int, *, groups: int | None = None
    ) -> None:
        super().__init__()
        self.groups = in_channels if groups is None else groups
        check_groups(in_channels, out_channels, self.groups)
        self.in_channels = in_channels
        self.kernel = nn.Linear(
            basis_channels, kernel_width(in_channels, out_channels, self.groups), bias=False
        )
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        x: Float[Tensor, "N C"],
        basis: Float[Tensor, "E K"],
        edge_index: Int[Tensor, "2 E"],
        *,
        loop_basis: Float[Tensor, "1 K"] | None = None,
    ) -> Float[Tensor, "N out"]:
        """Return the convolved features.

        Args:
            x: features of the points.
            basis: basis values of each edge.
            edge_index: senders and receivers.
            loop_basis: if given, ``edge_index`` lists undirected pairs, each once, whose kernel
                serves both directions (right for invariants that do not change when a pair is
                reversed, as the distance), and this row serves the self-loop of every point.
        """
        return self._sum(x, basis, edge_index, loop_basis) + self.bias

    def _sum(
        self, x: Tensor, basis: Tensor, edge_index: Tensor, loop_basis: Tensor | None
    ) -> Tensor:
        check_features("x", x, self.in_channels, 2)
        if loop_basis is None:
            return convolve_edges(self.kernel(basis), x, edge_index, self.groups == 1)
        loop = self.kernel(loop_basis)
        return convolve_pairs(self.kernel(basis), loop, x, edge_index, self.groups == 1)

    @torch.no_grad()
    def calibrate(
        self,
        x: Tensor,
        basis: Tensor,
        edge_index: Tensor,
        *,
        loop_basis: Tensor | None = None,
    ) -> Tensor:
        """Scale the kernel so that the output's spread is the input's; return the former output.

        The arguments are those of `forward`; the returned output is that of the weights before.
        """
        out = self._sum(x, basis, edge_index, loop_basis)
        self.kernel.weight.mul_(calibration_scale(x, out))
        return out + self.bias
