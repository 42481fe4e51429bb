"""Attention weights on the messages of a convolution."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive, check_shape
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.edges import DirectedEdges, Edges, GivenEdges, WeightedEdges, as_directed
from geozoo.nn.embedding.spline import SplineTerms
from geozoo.ops import scatter


class AttentiveConv(nn.Module):
    r"""Convolution whose messages are multiplied by attention weights.

    On each orientation o (or on each point), with queries :math:`q = W_q x` and keys
    :math:`k = W_k x` of width d,

    .. math::
        a_{ij}[o] = \frac{w_{ij} \exp(k_j[o] \cdot q_i[o] / \sqrt{d})}
            {\sum_{l \to i} w_{il} \exp(k_l[o] \cdot q_i[o] / \sqrt{d})}, \qquad
        y_i[o] = \sum_{j \to i} a_{ij}[o]\, (W b_{ij}[o]) \odot x_j[o]

    the softmax over the incoming edges of a receiver, followed by the remaining steps of the
    convolution. With the window w of a cutoff, results change continuously where an edge appears;
    without a cutoff it is 1.

    Args:
        conv: convolution with one message per edge: `PointConv` or `FiberBundleConv`.
        in_channels: channels of the input.
        attention_channels: width d of queries and keys.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Rapidash: Probing Equivariance and Symmetry Breaking in Convolutional Networks,
        arXiv:2501.01999.
    """

    def __init__(self, conv: KernelConv, in_channels: int, attention_channels: int = 128) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, attention_channels=attention_channels)
        self.conv = conv
        self.query = nn.Linear(in_channels, attention_channels, bias=False)
        self.key = nn.Linear(in_channels, attention_channels, bias=False)

    def forward(
        self,
        x: Float[Tensor, "N *fibre C"],
        basis: Float[Tensor, "E *fibre K"] | SplineTerms,
        edge_index: GivenEdges,
        window: Float[Tensor, " E"] | None = None,
        **neighborhood: Any,
    ) -> Float[Tensor, "N *fibre out"]:
        """Return the convolved features.

        Args:
            x: features.
            basis: basis values of each edge.
            edge_index: senders and receivers, or directed edges of `geozoo.nn.edges`.
            window: cutoff function of each edge; None: no cutoff.
            neighborhood: further arguments of the convolution.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        if isinstance(basis, Tensor):
            fibre = [None] * (basis.dim() - 2)
            check_shape("x", x, " ".join(["N", *["O"] * len(fibre), "C"]), None, *fibre, None)
        edges = self._weighted(x, edge_index, window)
        return self.conv(x, basis=basis, edge_index=edges, **neighborhood)

    @torch.no_grad()
    def calibrate(
        self, x: Tensor, basis: Any, edge_index: Any, window: Any = None, **neighborhood: Any
    ) -> Tensor:
        """Calibrate the convolution with its attention weights; the arguments of `forward`."""
        edges = self._weighted(x, edge_index, window)
        return self.conv.calibrate(x, basis=basis, edge_index=edges, **neighborhood)

    def weights(
        self, x: Float[Tensor, "N *fibre C"], edges: DirectedEdges, window: Tensor | None = None
    ) -> Float[Tensor, "E ..."]:
        """Return the attention weights, at least in single precision."""
        check_last_axis("x", x, "C", self.query.in_features)
        query, key = self.query(x), self.key(x)
        ends = key.index_select(0, edges.sender), query.index_select(0, edges.receiver)
        logits = (ends[0] * ends[1]).sum(-1) / math.sqrt(query.shape[-1])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        fibre = [1] * (logits.dim() - 1)
        factor = None if window is None else window.to(logits.dtype).view(-1, *fibre)
        return _softmax(logits, factor, edges.receiver, x.shape[0])

    def _weighted(self, x: Tensor, edge_index: GivenEdges, window: Tensor | None) -> Edges:
        edges = as_directed(edge_index, x.shape[0])
        if window is not None:
            check_shape("window", window, "E", edges.index.shape[1])
        return WeightedEdges(edges, self.weights(x, edges, window))


def _softmax(logits: Tensor, factor: Tensor | None, receiver: Tensor, num_nodes: int) -> Tensor:
    """Factor times exponential of the logits, divided by the sum over the edges of a receiver."""
    shift = logits.detach()
    if factor is not None:  # edges beyond the cutoff must not push the others out of range
        shift = shift.masked_fill(factor == 0, torch.finfo(shift.dtype).min)
    shift = scatter(shift, receiver, num_nodes, "max").index_select(0, receiver)
    if factor is None:
        weight = (logits - shift).exp()
    else:
        weight = factor * (logits - shift).clamp_max(0).exp()
    total = scatter(weight, receiver, num_nodes)
    total = torch.where(total > 0, total, torch.ones_like(total))
    return weight / total.index_select(0, receiver)
