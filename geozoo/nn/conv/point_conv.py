"""Convolution over a cloud of points."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from geozoo.checks import check_shape
from geozoo.geometry import PairedEdges
from geozoo.nn.conv._kernel import Edges, KernelConv, check_edge_basis, convolve
from geozoo.nn.conv.stencil import Stencil
from geozoo.ops import SortedEdges


class PointConv(KernelConv):
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
        ValueError: for sizes below 1, if ``groups`` is neither, or depthwise sizes differ.

    Reference:
        Bekkers et al., ICLR 2024, eq. 6.
    """

    def forward(
        self,
        x: Float[Tensor, "N C"],
        basis: Float[Tensor, "E K"],
        edge_index: Int[Tensor, "2 E"] | PairedEdges | Stencil | SortedEdges,
        *,
        loop_basis: Float[Tensor, "1 K"] | None = None,
    ) -> Float[Tensor, "N out"]:
        """Return the convolved features.

        Args:
            x: features of the points.
            basis: basis values of each edge.
            edge_index: senders and receivers; or, for points on a lattice, the stencil to whose
                steps the rows of the basis ``[R, D, K]`` belong (see `Stencil`); or sorted
                edges, for `geozoo.ops.kernel_sum`.
            loop_basis: if given, ``edge_index`` lists undirected pairs, each once (or is what
                `geozoo.geometry.pair_edges` makes of directed edges), whose kernel
                serves both directions (right for invariants that do not change when a pair is
                reversed, as the distance), and this row serves the self-loop of every point.
        """
        return self._sum(x, basis, edge_index, loop_basis=loop_basis) + self.bias

    def _sum(
        self,
        x: Tensor,
        basis: Tensor,
        edge_index: Edges,
        *,
        loop_basis: Tensor | None = None,
    ) -> Tensor:
        check_shape("x", x, "N C", None, self.in_channels)
        check_edge_basis(basis, edge_index, "", self.basis_channels)
        full = self.groups == 1
        return convolve(self.kernel, basis, x, edge_index, full, loop_basis)
