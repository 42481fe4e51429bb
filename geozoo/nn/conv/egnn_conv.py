"""E(n) equivariant message passing that also updates the positions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.ops import message_sum, scatter

#: Gain of the last layer of the displacement network, so that displacements start near zero.
_SMALL = 1e-3


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
        check_shape("pos", pos, "N dim", len(h), None)
        edges = as_directed(edge_index, h.shape[0])
        rel_pos = edges.vectors(pos)
        weight = rel_pos.new_ones(len(rel_pos)) if edge_weight is None else edge_weight
        rows: tuple[Tensor, ...] = (rel_pos, check_shape("edge_weight", weight, "E", len(rel_pos)))
        if self.edge_channels:
            shape = (len(rel_pos), self.edge_channels)
            rows = (*rows, check_shape("edge_attr", edge_attr, "E A", *shape))
        total, *moves = message_sum(
            self._message, (edges.sender, edges.receiver), len(h), senders=(h,), receivers=(h,),
            rows=rows, weights=self.parameters(),
        )  # fmt: skip
        if not moves:
            return h + self.update(torch.cat([h, total], -1)), pos
        degree = scatter(weight, edges.receiver, len(pos)).clamp_min(1.0).unsqueeze(-1)
        # Edge vectors point to the senders; the displacement is along x_i - x_j, hence the minus.
        moved = pos - moves[0] / degree
        moved = moved + self._drift(h, vec, pos.shape[1])
        return h + self.update(torch.cat([h, total], -1)), moved

    def _message(
        self, sender: Tensor, receiver: Tensor, rel_pos: Tensor, weight: Tensor, *edge_attr: Tensor
    ) -> tuple[Tensor, ...]:
        """Messages to the features and, if positions are updated, displacements."""
        length = rel_pos.square().sum(-1, keepdim=True)
        message = self.message(torch.cat([receiver, sender, length, *edge_attr], -1))
        if self.attention is not None:
            message = message * self.attention(message).sigmoid()
        message = message * weight.unsqueeze(-1)
        if self.displacement is None:
            return (message,)
        return message, rel_pos * weight.unsqueeze(-1) * self.displacement(message)

    def _drift(self, h: Tensor, vec: Tensor | None, dim: int) -> Tensor | float:
        if self.drift is None:
            return 0.0
        vec = check_shape("vec", vec, "N V dim", len(h), self.num_vectors, dim)
        return (self.drift(h).unsqueeze(-1) * vec).sum(1)
