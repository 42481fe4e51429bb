"""Coupled message passing of scalars and vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_edges, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.ops import EdgeRows, SteerablePaths, filtered_sum, plain_path, smooth_norm

#: Usual spatial dimensions.
_DIMS = (1, 2, 3)


class PaiNNConv(nn.Module):
    r"""One message block and one update block of PaiNN.

    .. math::
        (a, b, c)_{ij} &= \phi(s_j) \odot (W b_{ij} + \beta)\, w_{ij}, \quad
        s_i \mathrel{+}= \sum_j a_{ij}, \quad
        v_i \mathrel{+}= \sum_j b_{ij}\, v_j + c_{ij}\, \hat r_{ij} \\
        (a, b, c)_i &= \psi(s_i, \lVert V v_i \rVert), \quad
        s_i \mathrel{+}= a_i + b_i\, \langle U v_i, V v_i \rangle, \quad
        v_i \mathrel{+}= c_i\, U v_i

    Exactly equivariant under rotations and reflections. Norms are smoothed below a length of 1e-4
    (`geozoo.ops.smooth_norm`): the plain ones have a kink where vectors vanish by symmetry, which
    gives forces on the atoms of a perfect crystal.

    Args:
        channels: number C of scalar and of vector channels.
        basis_channels: number K of radial basis functions.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        K. T. Schuett, O. T. Unke, M. Gastegger, ICML 2021, arXiv:2102.03150, eqs. 7 to 10.
    """

    def __init__(self, channels: int, basis_channels: int) -> None:
        super().__init__()
        check_positive(channels=channels, basis_channels=basis_channels)
        self.channels, self.basis_channels = channels, basis_channels
        self.message = nn.Sequential(
            nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, 3 * channels)
        )
        self.filter = nn.Linear(basis_channels, 3 * channels)
        self._paths = {dim: _paths(channels, dim) for dim in _DIMS}  # a compiler cannot make them
        self.mix = nn.Linear(channels, 2 * channels, bias=False)
        self.update = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.SiLU(), nn.Linear(channels, 3 * channels)
        )

    def forward(
        self,
        s: Float[Tensor, "N C"],
        v: Float[Tensor, "N dim C"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        direction: Float[Tensor, "E dim"],
        edge_index: GivenEdges | EdgeRows,
    ) -> tuple[Float[Tensor, "N C"], Float[Tensor, "N dim C"]]:
        """Return new scalars and vectors.

        Args:
            s: scalars.
            v: vectors, channels last.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            direction: unit vector of each edge, from the receiver to the sender.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; pairs and rows of
                `as_edge_rows` have one row of basis, window and direction for both directions.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("s", s, "N C", None, self.channels)
        check_shape("v", v, "N dim C", s.shape[0], None, self.channels)
        rows = as_edge_rows(edge_index, s.shape[0])
        check_edges(rows.num_rows, basis, self.basis_channels, window)
        dim = v.shape[1]
        check_shape("direction", direction, "E dim", rows.num_rows, dim)
        to_scalar, along, new = self.message(s).chunk(3, -1)
        features = torch.cat([to_scalar, (along.unsqueeze(1) * v).flatten(1), new], -1)
        total = filtered_sum(
            features, direction, self._weights, (basis, window), rows,
            self._paths.get(dim) or _paths(self.channels, dim), weights=self.filter.parameters(),
        )  # fmt: skip
        scalars, vectors = total.split([self.channels, dim * self.channels], -1)
        return self._updated(s + scalars, v + vectors.unflatten(-1, (dim, -1)))

    def _weights(self, basis: Tensor, window: Tensor) -> Tensor:
        return self.filter(basis) * window.unsqueeze(-1)

    def _updated(self, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        left, right = self.mix(v).chunk(2, -1)
        length = smooth_norm(right.transpose(1, 2))
        own, shared, gate = self.update(torch.cat([s, length], -1)).chunk(3, -1)
        product = (left * right).sum(1)
        return s + own + shared * product, v + gate.unsqueeze(1) * left


def _paths(channels: int, dim: int) -> SteerablePaths:
    """Scalars to scalars, vectors to vectors, and scalars times the direction to vectors."""
    c, columns = channels, range(dim)
    scalars = plain_path((0, 0, 0), c, x=0, w=0, out=0)
    last, width = c + dim * c, 2 * c + dim * c
    if dim == 3:
        along = [plain_path((1, 0, 1), c, x=c, w=c, out=c)]
        new = [plain_path((0, 1, 1), c, x=last, y=0, w=2 * c, out=c)]
    else:  # component by component
        along = [plain_path((0, 0, 0), c, x=c + k * c, w=c, out=c + k * c) for k in columns]
        new = [
            plain_path((0, 0, 0), c, x=last, y=k, w=2 * c, out=c + k * c, is_odd=True)
            for k in columns
        ]
    return SteerablePaths((scalars, *along, *new), width, dim, 3 * c, last)


class GatedVectors(nn.Module):
    r"""Gated equivariant block: map scalars and vectors to fewer channels, gating the vectors.

    .. math:: (s', g) = \phi(s, \lVert V v \rVert), \quad v' = g \odot U v

    The norm is smoothed, see `PaiNNConv`.

    Args:
        channels: number of scalar and of vector input channels.
        out_scalars: scalar channels of the output.
        out_vectors: vector channels of the output.

    Raises:
        ValueError: If a size is below 1 (``out_scalars``: below 0).

    Reference:
        K. T. Schuett, O. T. Unke, M. Gastegger, ICML 2021, arXiv:2102.03150, figure 3 (gated
        equivariant block).
    """

    def __init__(self, channels: int, out_scalars: int, out_vectors: int) -> None:
        super().__init__()
        check_positive(channels=channels, out_vectors=out_vectors)
        if out_scalars < 0:
            raise ValueError(f"out_scalars must be at least 0, got {out_scalars!r}")
        self.sizes = (out_scalars, out_vectors)
        self.lengths = nn.Linear(channels, channels, bias=False)
        self.vectors = nn.Linear(channels, out_vectors, bias=False)
        self.scalars = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.SiLU(),
            nn.Linear(channels, out_scalars + out_vectors),
        )  # fmt: skip

    def forward(
        self, s: Float[Tensor, "N C"], v: Float[Tensor, "N dim C"]
    ) -> tuple[Float[Tensor, "N S"], Float[Tensor, "N dim V"]]:
        """Return scalars and vectors, channels last; ValueError if a tensor has the wrong shape."""
        check_shape("s", s, "N C", None, self.lengths.in_features)
        check_shape("v", v, "N dim C", s.shape[0], None, self.lengths.in_features)
        length = smooth_norm(self.lengths(v).transpose(1, 2))
        scalars, gate = self.scalars(torch.cat([s, length], -1)).split(self.sizes, -1)
        return scalars, gate.unsqueeze(1) * self.vectors(v)
