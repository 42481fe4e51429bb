"""Convolution on a learned graph with per-sensor weights from a shared pool."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape


class AdaptiveWeights(NamedTuple):
    """What `AdaptiveGraphConv` generates from the embeddings.

    Attributes:
        graph: weights ``[N, N]`` of the sensors for each other.
        weight: ``[N, K C, out]`` map of each sensor.
        bias: ``[N, out]``.
    """

    graph: Float[Tensor, "N N"]
    weight: Float[Tensor, "N KC out"]
    bias: Float[Tensor, "N out"]


def adaptive_graph(embedding: Float[Tensor, "N D"]) -> Float[Tensor, "N N"]:
    """The graph A of `AdaptiveGraphConv`; its rows sum to 1."""
    return functional.softmax(functional.relu(embedding @ embedding.mT), -1)


def adaptive_polynomials(graph: Float[Tensor, "N N"], order: int) -> list[Float[Tensor, "N N"]]:
    """The polynomials T_1, ..., T_(K-1) of `AdaptiveGraphConv` as matrices, for order K."""
    found = [graph] if order > 1 else []
    for _ in range(order - 2):
        last = 2 * graph @ found[-1]
        one = torch.eye(len(graph), dtype=graph.dtype, device=graph.device)
        found.append(last - (found[-2] if len(found) > 1 else one))
    return found


class AdaptiveGraphConv(nn.Module):
    r"""Graph convolution whose graph and per-sensor weights are generated from sensor embeddings.

    .. math::
        A &= \mathrm{softmax}\bigl(\mathrm{ReLU}(E E^T)\bigr), \quad
        y_i = \sum_{k=0}^{K-1} \bigl(T_k(A)\, x\bigr)_i\, (E_i \cdot W_k) + E_i \cdot b

    with :math:`T_0 = 1`, :math:`T_1 = A`, :math:`T_k = 2 A\, T_{k-1} - T_{k-2}`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        embedding_channels: width of the embeddings E.
        order: number K of Chebyshev polynomials of the graph.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        L. Bai, L. Yao, C. Li, X. Wang, C. Wang, AGCRN, NeurIPS 2020, arXiv:2007.02842, eqs. 4 to 6.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, embedding_channels: int, order: int = 2
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels, out_channels=out_channels,
            embedding_channels=embedding_channels, order=order,
        )  # fmt: skip
        self.in_channels, self.order = in_channels, order
        self.embedding_channels = embedding_channels
        self.pool = nn.Parameter(torch.empty(embedding_channels, order * in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(embedding_channels, out_channels))
        for parameter in (self.pool, self.bias):
            nn.init.xavier_uniform_(parameter)

    def generate(
        self, embedding: Float[Tensor, "N D"], graph: Float[Tensor, "N N"] | None = None
    ) -> AdaptiveWeights:
        """Return graph and weights for `forward`, once for many inputs.

        Args:
            embedding: sensor embeddings.
            graph: their `adaptive_graph`, if it is known.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("embedding", embedding, "N D", None, self.embedding_channels)
        graph = adaptive_graph(embedding) if graph is None else graph
        check_shape("graph", graph, "N N", len(embedding), len(embedding))
        weight = torch.einsum("nd,dio->nio", embedding, self.pool)
        return AdaptiveWeights(graph, weight, embedding @ self.bias)

    def forward(
        self, x: Float[Tensor, "B N C"], embedding: Float[Tensor, "N D"] | AdaptiveWeights
    ) -> Float[Tensor, "B N out"]:
        """Return the convolved features.

        Args:
            x: features of the sensors.
            embedding: sensor embeddings, shared by the layers of a network; or what `generate`
                makes of them.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        if isinstance(embedding, Tensor):
            embedding = self.generate(embedding)
        graph, weight, bias = embedding
        check_shape("x", x, "B N C", None, len(graph), self.in_channels)
        parts = [x]
        if self.order > 1:
            parts.append(graph @ x)
        while len(parts) < self.order:
            parts.append(2 * (graph @ parts[-1]) - parts[-2])
        return torch.einsum("bni,nio->bno", torch.cat(parts, -1), weight) + bias
