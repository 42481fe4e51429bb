"""Full (non-separable) convolution over positions and orientations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.checks import check_shape
from geozoo.nn.conv._kernel import KernelConv, check_edge_basis
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.ops import scatter


class BundleConv(KernelConv):
    r"""Full convolution on a position-orientation bundle, with a joint kernel over both spaces.

    .. math:: y_i[o] = \frac{1}{O} \sum_{j \to i} \sum_p (W b_{ij}[o, p]) \odot x_j[p] + \beta

    The general form of which `FiberBundleConv` is a factorisation. The kernel ``[E, O, O, C]`` is
    stored in memory: for small graphs, as a reference and for ablations.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        basis_channels: number K of basis functions.
        groups: ``in_channels`` for one weight per channel (depthwise, the default); 1 for a full
            matrix per edge.

    Raises:
        ValueError: If a size is below 1, ``groups`` has another value, or depthwise widths differ.

    Reference:
        Bekkers et al., ICLR 2024, eq. 8.
    """

    def forward(
        self,
        x: Float[Tensor, "N O C"],
        basis: Float[Tensor, "E O O K"],
        edge_index: GivenEdges,
    ) -> Float[Tensor, "N O out"]:
        """Return the convolved features; axes 1, 2 of ``basis``: receiver, sender orientation."""
        return self._sum(x, basis, edge_index) + self.bias

    def _sum(self, x: Tensor, basis: Tensor, edge_index: GivenEdges) -> Tensor:
        check_shape("x", x, "N O C", None, None, self.in_channels)
        count = x.shape[1]
        edges = as_directed(edge_index, x.shape[0])
        check_edge_basis(basis, edges, "O O", count, count, self.basis_channels)
        kernel = self.kernel(basis) / count
        neighbor = x.index_select(0, edges.sender)
        if self.groups == 1:
            matrix = kernel.unflatten(-1, (-1, self.in_channels))
            message = torch.einsum("eopcd,epd->eoc", matrix, neighbor)
        else:
            message = torch.einsum("eopc,epc->eoc", kernel, neighbor)
        return scatter(message, edges.receiver, x.shape[0])
