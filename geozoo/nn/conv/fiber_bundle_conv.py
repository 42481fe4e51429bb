"""Separable convolution: over positions, then over orientations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.nn.conv._kernel import (
    KernelConv,
    calibration_scale,
    check_basis,
    check_edge_basis,
    check_loop_basis,
    kernel_width,
)
from geozoo.nn.edges import GivenEdges, Kernel, as_edges
from geozoo.ops import channelwise_product


class FiberBundleConv(KernelConv):
    r"""Separable convolution on a position-orientation bundle.

    Every node carries the same grid of O orientations, with features ``x [N, O, C]``.

    .. math::
        y_i[o] &= \sum_{j \to i} (W_s\, b_{ij}[o]) \odot x_j[o] \\
        z_i[p] &= \frac{1}{O} \sum_o (W_f\, c[o, p]) \odot y_i[o] + \beta

    b are basis values of the spatial invariants, c those of the invariants between orientations.
    The layer itself uses no geometry: equivariance follows from the invariance of b and c, up to
    the discretisation of the orientations.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        basis_channels: number K of basis functions in both bases.
        groups: ``in_channels`` for one weight per channel (depthwise, the default); 1 for a full
            matrix per pair of orientations in the fibre step; the spatial step is always depthwise.

    Raises:
        ValueError: If a size is below 1, ``groups`` has another value, or depthwise widths differ.

    Reference:
        Bekkers et al., ICLR 2024, section 4 (separable group convolution).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        basis_channels: int,
        *,
        groups: int | None = None,
    ) -> None:
        check_positive(out_channels=out_channels)
        # The spatial step is always depthwise; `groups` refers to the fibre step.
        super().__init__(in_channels, in_channels, basis_channels)
        self.groups = in_channels if groups is None else groups
        width = kernel_width(in_channels, out_channels, self.groups)
        self.fiber_kernel = nn.Linear(basis_channels, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        x: Float[Tensor, "N O C"],
        basis: Float[Tensor, "E O K"],
        edge_index: GivenEdges,
        fiber_basis: Float[Tensor, "O O K"],
        *,
        loop_basis: Float[Tensor, "1 K"] | None = None,
    ) -> Float[Tensor, "N O out"]:
        """Return the convolved features.

        Args:
            x: features of the bundle.
            basis: spatial basis values for each edge and receiver orientation.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; ``basis`` has one
                entry per row of the edges, ``[R, D, O, K]`` for the stencil of a lattice.
            fiber_basis: basis values for each pair of orientations.
            loop_basis: basis values of the self-loops. If given, ``edge_index`` lists each
                undirected pair once (or is the result of `geozoo.geometry.pair_edges`), and
                ``basis`` belongs to the listed direction. The reverse direction uses the same rows
                with each orientation replaced by its antipode, half a grid further (see
                `geozoo.geometry.antipodal_order`). Half the kernel evaluations, the same result.
        """
        y = self._spatial(x, basis, edge_index, loop_basis)
        return self._fiber(y, fiber_basis) + self.bias

    def _spatial(
        self,
        x: Tensor,
        basis: Tensor,
        edge_index: GivenEdges,
        loop_basis: Tensor | None,
    ) -> Tensor:
        check_shape("x", x, "N O C", None, None, self.in_channels)
        edges = as_edges(edge_index, pairs=loop_basis is not None)
        check_edge_basis(basis, edges, "O", x.shape[1], self.basis_channels)
        check_loop_basis(loop_basis, edges)
        return edges.convolve(Kernel(self.kernel, basis, loop_basis=loop_basis), x)

    def _fiber(self, y: Tensor, fiber_basis: Tensor) -> Tensor:
        count = y.shape[1]
        check_basis("fiber_basis", fiber_basis, "O O K", count, count, self.basis_channels)
        kernel = functional.linear(fiber_basis, self.fiber_kernel.weight) / count
        if self.groups == 1:
            matrix = kernel.unflatten(-1, (-1, self.in_channels))
            return torch.einsum("nod,opcd->npc", y, matrix)
        return channelwise_product(y, kernel)

    @torch.no_grad()
    def calibrate(
        self,
        x: Tensor,
        basis: Tensor,
        edge_index: GivenEdges,
        fiber_basis: Tensor,
        *,
        loop_basis: Tensor | None = None,
    ) -> Tensor:
        """Rescale both kernels so that each step preserves the standard deviation.

        The arguments are those of `forward`. Returns the output before the rescaling.
        """
        y = self._spatial(x, basis, edge_index, loop_basis)
        z = self._fiber(y, fiber_basis)
        self.kernel.weight.mul_(calibration_scale(x, y))
        self.fiber_kernel.weight.mul_(calibration_scale(y, z))
        return z + self.bias
