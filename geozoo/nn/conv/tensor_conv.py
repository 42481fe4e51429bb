"""Message passing with rank-two tensors and matrix products."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_edges, check_positive, check_shape
from geozoo.geometry import PART_SIZES, tensor_part_norms, tensor_product_parts, weigh_parts
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.ops import EdgeRows, SteerablePaths, filtered_sum, in_row_blocks, plain_path


class PartwiseLinear(nn.Module):
    """Separate bias-free linear maps of the channels of each irreducible part of rank-two tensors.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        self.in_channels = in_channels
        self.maps = nn.ModuleList(
            nn.Linear(in_channels, out_channels, bias=False) for _ in PART_SIZES
        )

    def forward(self, tensor: Float[Tensor, "N 10 C"]) -> Float[Tensor, "N 10 D"]:
        """Return the mapped tensors, with components as in `geozoo.geometry.full_tensor`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("tensor", tensor, "N 10 C", None, sum(PART_SIZES), self.in_channels)
        parts = tensor.split(PART_SIZES, -2)
        return torch.cat([linear(p) for linear, p in zip(self.maps, parts, strict=True)], -2)


def _normalized(tensor: Float[Tensor, "N 10 C"]) -> Float[Tensor, "N 10 C"]:
    r"""Return :math:`X / (\operatorname{tr} X^T X + 1)`."""
    return tensor / (tensor_part_norms(tensor).sum(-2, keepdim=True) + 1)


class TensorConv(nn.Module):
    r"""One interaction layer of TensorNet.

    .. math::
        Y_i &= \mathcal{W}_1 \frac{X_i}{\lVert X_i \rVert + 1}, \quad
        M_i = \sum_j w_{ij}\, f(b_{ij}) \odot Y_j, \quad
        Z_i = Y_i M_i + M_i Y_i \\
        \Delta_i &= \mathcal{W}_2 \frac{Z_i}{\lVert Z_i \rVert + 1}, \quad
        X_i \mathrel{:=} \frac{X_i}{\lVert X_i \rVert + 1} + \Delta_i + \Delta_i^2

    :math:`\lVert X \rVert = \operatorname{tr} X^T X`; :math:`\mathcal{W}` is a `PartwiseLinear` and
    :math:`f` weights the three parts of each channel. Exactly equivariant under rotations and
    reflections.

    Args:
        channels: number C of tensor channels.
        basis_channels: number K of radial basis functions.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        G. Simeon, G. De Fabritiis, TensorNet: Cartesian Tensor Representations for Efficient
        Learning of Molecular Potentials, NeurIPS 2023, arXiv:2306.06482, section 3.2.
    """

    def __init__(self, channels: int, basis_channels: int) -> None:
        super().__init__()
        check_positive(channels=channels, basis_channels=basis_channels)
        self.channels, self.basis_channels = channels, basis_channels
        self.before = PartwiseLinear(channels, channels)
        self.after = PartwiseLinear(channels, channels)
        self.filter = nn.Sequential(
            nn.Linear(basis_channels, channels), nn.SiLU(),
            nn.Linear(channels, 2 * channels), nn.SiLU(),
            nn.Linear(2 * channels, 3 * channels), nn.SiLU(),
        )  # fmt: skip
        self.paths = _paths(channels)

    def forward(
        self,
        tensor: Float[Tensor, "N 10 C"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges | EdgeRows,
        *,
        own_basis: Float[Tensor, "1 K"] | None = None,
    ) -> Float[Tensor, "N 10 C"]:
        """Return new tensors.

        Args:
            tensor: components of the node tensors, see `geozoo.geometry.full_tensor`.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; pairs and rows of
                `as_edge_rows` have one row of basis and window for both directions.
            own_basis: radial basis values at distance 0, if every node also sends a message to
                itself, with window 1.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("tensor", tensor, "N 10 C", None, sum(PART_SIZES), self.channels)
        rows = as_edge_rows(edge_index, tensor.shape[0])
        check_edges(rows.num_rows, basis, self.basis_channels, window)
        small = in_row_blocks(_normalized, tensor)
        mixed = self.before(small)
        received = filtered_sum(
            mixed.flatten(1), basis.new_empty(rows.num_rows, 0), self._weights, (basis, window),
            rows, self.paths, weights=self.filter.parameters(),
        ).unflatten(1, (sum(PART_SIZES), -1))  # fmt: skip
        if own_basis is not None:
            check_shape("own_basis", own_basis, "1 K", 1, self.basis_channels)
            weights = self.filter(own_basis).unflatten(-1, (3, -1))
            received = received + weigh_parts(weights, mixed)
        return in_row_blocks(
            self._combined, small, mixed, received, weights=self.after.parameters()
        )

    def _combined(self, small: Tensor, mixed: Tensor, received: Tensor) -> Tensor:
        change = self.after(_normalized(2 * tensor_product_parts(mixed, received)))
        return small + change + tensor_product_parts(change, change)

    def _weights(self, basis: Tensor, window: Tensor) -> Tensor:
        return self.filter(basis) * window.unsqueeze(-1)


def _paths(channels: int) -> SteerablePaths:
    """Each part by its own weight; the six components of the symmetric part three by three."""
    c, scalar, vector = channels, (0, 0, 0), (1, 0, 1)
    paths = (
        plain_path(scalar, c, x=0, w=0, out=0),
        plain_path(vector, c, x=c, w=c, out=c),
        plain_path(vector, c, x=4 * c, w=2 * c, out=4 * c),
        plain_path(vector, c, x=7 * c, w=2 * c, out=7 * c),
    )
    return SteerablePaths(paths, 10 * c, 0, 3 * c, 10 * c)
