"""E(n) equivariant message passing that also updates the positions."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.ops import is_textbook, message_sum, scatter
from geozoo.ops.steerable import (
    Gating,
    ProductPath,
    Rows,
    SteerableProduct,
    Target,
    gated,
    steerable_product,
)

#: Gain of the last layer of the displacement network, so that displacements start near zero.
_SMALL = 1e-3
#: Usual spatial dimensions.
_DIMS = (1, 2, 3)


class EGNNConv(nn.Module):
    r"""EGNN layer: messages from distances update the features and displace the points.

    .. math::
        m_{ij} &= \phi_e(h_i, h_j, \lVert x_i - x_j \rVert^2, a_{ij}) \\
        x_i' &= x_i + \sum_k \phi_{v,k}(h_i)\, v_{ik}
            + \frac{1}{|N(i)|} \sum_{j \in N(i)} (x_i - x_j)\, \phi_x(m_{ij}) \\
        h_i' &= h_i + \phi_h\Bigl(h_i, \sum_{j \in N(i)} m_{ij}\Bigr)

    With ``attention``, messages are first multiplied by :math:`\sigma(w \cdot m_{ij} + b)`. Exactly
    equivariant under rotations, reflections and translations. An optional edge weight, such as a
    smooth cutoff function, multiplies messages and displacements; :math:`|N(i)|` is then the sum of
    the weights, at least 1.

    Args:
        channels: channels C of the features and messages.
        edge_channels: number of edge features :math:`a_{ij}`.
        num_vectors: number of node vectors :math:`v_{ik}` that contribute to the displacement.
        attention: weight messages by an attention gate.
        moves: update the positions; False: ``pos`` is returned unchanged.

    Raises:
        ValueError: If ``channels`` is below 1, or another size is negative.

    Reference:
        V. G. Satorras, E. Hoogeboom, M. Welling, E(n) Equivariant Graph Neural Networks, ICML 2021,
        arXiv:2102.09844, eqs. 3 to 8.
    """

    def __init__(
        self,
        channels: int,
        *,
        edge_channels: int = 0,
        num_vectors: int = 0,
        attention: bool = False,
        moves: bool = True,
    ) -> None:
        super().__init__()
        check_positive(channels=channels)
        if min(edge_channels, num_vectors) < 0:
            raise ValueError(
                f"edge_channels and num_vectors must be at least 0, got {edge_channels} and "
                f"{num_vectors}"
            )
        self.channels, self.edge_channels, self.num_vectors = channels, edge_channels, num_vectors
        self.message = nn.Sequential(
            nn.Linear(2 * channels + 1 + edge_channels, channels), nn.SiLU(),
            nn.Linear(channels, channels), nn.SiLU(),
        )  # fmt: skip
        # A compiler cannot make them.
        self._gating = Gating(channels)
        self._pairs = _pairs(channels, 1 + edge_channels)
        self._scaled = _scaled(channels)
        self._moves = {dim: _scaled(dim) for dim in _DIMS}
        self.update = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.SiLU(), nn.Linear(channels, channels)
        )
        self.attention = nn.Linear(channels, 1) if attention else None
        self.displacement = self.drift = None
        if moves:
            last = nn.Linear(channels, 1, bias=False)
            nn.init.xavier_uniform_(last.weight, gain=_SMALL)
            self.displacement = nn.Sequential(nn.Linear(channels, channels), nn.SiLU(), last)
        if moves and num_vectors:
            self.drift = nn.Sequential(
                nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, num_vectors)
            )

    def forward(
        self,
        h: Float[Tensor, "N C"],
        pos: Float[Tensor, "N dim"],
        edge_index: GivenEdges,
        *,
        edge_attr: Float[Tensor, "E A"] | None = None,
        edge_weight: Float[Tensor, " E"] | None = None,
        vec: Float[Tensor, "N V dim"] | None = None,
    ) -> tuple[Float[Tensor, "N C"], Float[Tensor, "N dim"]]:
        """Return new features and positions.

        Args:
            h: features.
            pos: positions.
            edge_index: senders and receivers, without self-loops, or edges of `geozoo.nn.edges`.
            edge_attr: edge features, required if ``edge_channels`` is positive.
            edge_weight: weight of each edge; None: 1.
            vec: node vectors, required if ``num_vectors`` is positive.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("h", h, "N C", None, self.channels)
        check_shape("pos", pos, "N dim", h.shape[0], None)
        edges = as_directed(edge_index, h.shape[0])
        rel_pos = edges.vectors(pos)
        count = rel_pos.shape[0]  # len() would be a constant to a tracer
        weight = rel_pos.new_ones(count) if edge_weight is None else edge_weight
        rows: tuple[Tensor, ...] = (rel_pos, check_shape("edge_weight", weight, "E", count))
        if self.edge_channels:
            shape = (count, self.edge_channels)
            rows = (*rows, check_shape("edge_attr", edge_attr, "E A", *shape))
        total, *moves = message_sum(
            self._message_sums, (edges.sender, edges.receiver), h.shape[0], senders=(h,),
            receivers=(h,), rows=rows, weights=self.parameters(),
        )  # fmt: skip
        if not moves:
            return h + self.update(torch.cat([h, total], -1)), pos
        degree = scatter(weight, edges.receiver, pos.shape[0]).clamp_min(1.0).unsqueeze(-1)
        # Edge vectors point to the senders; the displacement is along x_i - x_j, hence the minus.
        moved = pos - moves[0] / degree
        moved = moved + self._drift(h, vec, pos.shape[1])
        return h + self.update(torch.cat([h, total], -1)), moved

    def _message_sums(
        self, sender: Rows, receiver: Rows, rel_pos: Tensor, weight: Tensor, *edge_attr: Tensor,
        target: Target,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Sums of the messages and, if positions are updated, of displacements."""
        row = torch.cat([rel_pos.square().sum(-1, keepdim=True), *edge_attr], -1)
        weight = weight.unsqueeze(-1)
        if is_textbook():
            given = torch.cat([receiver.taken(), sender.taken(), row], -1)
            message = self.message(given)
            if self.attention is not None:
                message = message * self.attention(message).sigmoid()
            message = message * weight
            parts = [message]
            if self.displacement is not None:
                parts.append(rel_pos * weight * self.displacement(message))
            return tuple(scatter(part, target.rows, target.size) for part in parts)
        hidden = self.message[2](self._silu(self._first_layer(sender, receiver, row)))
        if self.attention is None and self.displacement is None:
            return tuple(gated(hidden, [], self._gating, window=weight, target=target))
        message = self._silu(hidden)
        factor = weight
        if self.attention is not None:
            factor = weight * self.attention(message).sigmoid()
        total = steerable_product([Rows(message)], factor, self._scaled, target=target)
        if self.displacement is None:
            return total
        first, _, last = self.displacement
        moves = weight * last(self._silu(first(message * factor)))
        dim = rel_pos.shape[1]
        along = self._moves.get(dim) or _scaled(dim)
        return *total, *steerable_product([Rows(rel_pos)], moves, along, target=target)

    def _first_layer(self, sender: Rows, receiver: Rows, row: Tensor) -> Tensor:
        """The first linear map of the messages, applied to nodes before they are gathered."""
        linear = cast("nn.Linear", self.message[0])
        width = self.channels
        ends = linear.weight.split([width, width, row.shape[1]], 1)
        none = torch.zeros(row.shape[0], dtype=torch.int64, device=row.device)
        sources = [
            Rows(functional.linear(receiver.x, ends[0], linear.bias), receiver.rows),
            Rows(functional.linear(sender.x, ends[1]), sender.rows),
            Rows(ends[2].T.reshape(1, -1), none),
        ]
        return steerable_product(sources, row, self._pairs)[0]

    def _silu(self, x: Tensor) -> Tensor:
        return gated(x, [], self._gating)[0]

    def _drift(self, h: Tensor, vec: Tensor | None, dim: int) -> Tensor | float:
        if self.drift is None:
            return 0.0
        vec = check_shape("vec", vec, "N V dim", h.shape[0], self.num_vectors, dim)
        return (self.drift(h).unsqueeze(-1) * vec).sum(1)


def _plain(source: int, x: int, y: int | None, channels: int) -> ProductPath:
    """A path of scalars to the first output."""
    return ProductPath((0, 0, 0), source, x, y, 0, 0, channels, channels, channels, 1.0)


def _pairs(channels: int, values: int) -> SteerableProduct:
    """Receivers, senders, and weights of the values of each edge times these values."""
    rows = [_plain(2, k * channels, k, channels) for k in range(values)]
    paths = (_plain(0, 0, None, channels), _plain(1, 0, None, channels), *rows)
    widths = (channels, channels, values * channels)
    return SteerableProduct(paths, widths, values, (channels,))


def _scaled(channels: int) -> SteerableProduct:
    """Rows times a number each."""
    return SteerableProduct((_plain(0, 0, 0, channels),), (channels,), 1, (channels,))
