"""Convolution on a point cloud."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from geozoo.checks import check_shape
from geozoo.nn.conv._kernel import KernelConv, check_edge_basis, check_loop_basis
from geozoo.nn.edges import GivenEdges, Kernel, as_edges


class PointConv(KernelConv):
    r"""Convolution on points with a kernel expanded in basis functions of pair invariants.

    .. math:: y_i = \sum_{j \to i} (W b_{ij}) \odot x_j + \beta

    The points may be positions, or positions with one orientation each. The layer itself uses no
    geometry: equivariance follows from the invariance of the basis values b.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        basis_channels: number K of basis functions.
        groups: ``in_channels`` for one weight per channel (depthwise, the default); 1 for a full
            matrix per edge, at ``in_channels`` times the cost.

    Raises:
        ValueError: If a size is below 1, ``groups`` has another value, or depthwise widths differ.

    Reference:
        Bekkers et al., ICLR 2024, eq. 6.
    """

    def forward(
        self,
        x: Float[Tensor, "N C"],
        basis: Float[Tensor, "E K"],
        edge_index: GivenEdges,
        *,
        loop_basis: Float[Tensor, "1 K"] | None = None,
    ) -> Float[Tensor, "N out"]:
        """Return the convolved features.

        Args:
            x: features of the points.
            basis: basis values of each edge.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; ``basis`` has one
                entry per row of the edges, ``[R, D, K]`` for the stencil of a lattice.
            loop_basis: basis values of the self-loops. If given, ``edge_index`` lists each
                undirected pair once (or is the result of `geozoo.geometry.pair_edges`), and both
                directions share a kernel row, which is correct for invariants that are symmetric in
                the pair, such as the distance.
        """
        return self._sum(x, basis, edge_index, loop_basis=loop_basis) + self.bias

    def _sum(
        self,
        x: Tensor,
        basis: Tensor,
        edge_index: GivenEdges,
        *,
        loop_basis: Tensor | None = None,
    ) -> Tensor:
        check_shape("x", x, "N C", None, self.in_channels)
        edges = as_edges(edge_index, pairs=loop_basis is not None)
        check_edge_basis(basis, edges, "", self.basis_channels)
        check_loop_basis(loop_basis, edges)
        return edges.convolve(Kernel(self.kernel, basis, self.groups == 1, loop_basis), x)
