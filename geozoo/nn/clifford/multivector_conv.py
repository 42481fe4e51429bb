"""Message passing with multivectors."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import embed_grade
from geozoo.nn.clifford.geometric_product import GeometricProduct
from geozoo.nn.clifford.multivector_block import MultivectorBlock
from geozoo.nn.clifford.multivector_gate import MultivectorGate
from geozoo.nn.clifford.multivector_linear import MultivectorLinear
from geozoo.nn.clifford.multivector_norm import MultivectorNorm
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.ops import in_row_blocks, message_sum, scatter
from geozoo.ops.steerable import Rows, Target


class MultivectorConv(nn.Module):
    r"""One layer of message passing: products of multivectors on edges, then on nodes.

    .. math::
        a_{ij} &= A x_i + B x_j + W s_{ij} + u \otimes r_{ij}, \qquad
        m_{ij} = w_{ij}\, \operatorname{norm}\bigl(\Pi(\operatorname{gate}(a_{ij}))\bigr) \\
        x_i &\mathrel{:=} x_i + D\, \phi\Bigl(x_i, \sum_j m_{ij}\Bigr)

    :math:`s_{ij}` are scalars of the edge, :math:`r_{ij}` its vector, from the receiver to the
    sender, which enters grade 1. A, B and D are `MultivectorLinear`, :math:`\Pi` is
    `GeometricProduct`, the gate `MultivectorGate`, the norm `MultivectorNorm` and :math:`\phi`
    `MultivectorBlock`. Equivariant under rotations, reflections and translations.

    Args:
        channels: number C of channels of the multivectors.
        edge_channels: number S of scalars of each edge.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If a size is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141 (message passing networks). There edges have no features of their
        own.
    """

    def __init__(self, channels: int, edge_channels: int, dim: int = 3) -> None:
        super().__init__()
        check_positive(channels=channels, edge_channels=edge_channels)
        self.channels, self.edge_channels = channels, edge_channels
        self.receiver = MultivectorLinear(channels, channels, dim)
        self.sender = MultivectorLinear(channels, channels, dim, bias=False)
        self.algebra = self.receiver.algebra
        self.edge = nn.Linear(edge_channels, channels, bias=False)
        self.arrow = nn.Parameter(torch.randn(channels) / math.sqrt(2))
        self.gate = MultivectorGate(channels, dim)
        self.product = GeometricProduct(channels, dim)
        self.norm = MultivectorNorm(channels, dim)
        self.update = MultivectorBlock(2 * channels, channels, dim)
        self.last = MultivectorLinear(channels, channels, dim)

    def forward(
        self,
        x: Float[Tensor, "N B C"],
        edge_attr: Float[Tensor, "E S"],
        edge_vector: Float[Tensor, "E dim"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges,
    ) -> Float[Tensor, "N B C"]:
        """Return new multivectors.

        Args:
            x: multivectors of the nodes.
            edge_attr: scalars of each edge.
            edge_vector: vector of each edge, from the receiver to the sender.
            window: weight of each edge, 0 at a cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N B C", None, self.algebra.num_blades, self.channels)
        edges = as_directed(edge_index, x.shape[0])
        count = edges.sender.shape[0]
        check_shape("edge_attr", edge_attr, "E S", count, self.edge_channels)
        check_shape("edge_vector", edge_vector, "E dim", count, self.algebra.dim)
        check_shape("window", window, "E", count)
        sent = in_row_blocks(self.sender, x, weights=self.sender.parameters())
        received = in_row_blocks(self.receiver, x, weights=self.receiver.parameters())
        (total,) = message_sum(
            self._message_sums, (edges.sender, edges.receiver), x.shape[0], senders=(sent,),
            receivers=(received,), rows=(edge_attr, edge_vector, window), weights=self.parameters(),
        )  # fmt: skip
        return in_row_blocks(self._updated, x, total, weights=self.update.parameters())

    def _message_sums(
        self, sent: Rows, received: Rows, edge_attr: Tensor, edge_vector: Tensor, window: Tensor,
        *, target: Target,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        scalars = self.edge(edge_attr).unsqueeze(1)
        vectors = edge_vector.unsqueeze(-1) * self.arrow
        own = embed_grade(scalars, 0, self.algebra) + embed_grade(vectors, 1, self.algebra)
        message = self.product(self.gate(received.taken() + sent.taken() + own))
        weighted = self.norm(message) * window.view(-1, 1, 1)
        total = scatter(weighted.flatten(1), target.rows, target.size)
        return (total.unflatten(1, (self.algebra.num_blades, self.channels)),)

    def _updated(self, x: Tensor, total: Tensor) -> Tensor:
        return x + self.last(self.update(torch.cat([x, total], -1)))
