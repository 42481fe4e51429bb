"""Convolution on a learned graph with per-sensor weights from a shared pool."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape


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

    def forward(
        self, x: Float[Tensor, "B N C"], embedding: Float[Tensor, "N D"]
    ) -> Float[Tensor, "B N out"]:
        """Return the convolved features.

        Args:
            x: features of the sensors.
            embedding: sensor embeddings, shared by the layers of a network.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("embedding", embedding, "N D", None, self.embedding_channels)
        check_shape("x", x, "B N C", None, len(embedding), self.in_channels)
        graph = functional.softmax(functional.relu(embedding @ embedding.mT), -1)
        parts = [x]
        if self.order > 1:
            parts.append(graph @ x)
        while len(parts) < self.order:
            parts.append(2 * (graph @ parts[-1]) - parts[-2])
        weight = torch.einsum("nd,dio->nio", embedding, self.pool)
        mixed = torch.einsum("bni,nio->bno", torch.cat(parts, -1), weight)
        return mixed + embedding @ self.bias
