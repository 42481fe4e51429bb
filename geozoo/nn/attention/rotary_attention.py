"""Attention between points, with rotary embeddings that turn with a finite group."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_choice, check_positive, check_shape
from geozoo.geometry import FiniteGroup
from geozoo.nn.attention.point_blocks import PointBlocks, point_blocks
from geozoo.nn.embedding.rotary import initial_frequencies, turn_pairs, turned_angles
from geozoo.nn.group import GroupLinear
from geozoo.ops import is_textbook

AttentionForm = Literal["softmax", "linear"]


class RotaryAttention(nn.Module):
    r"""Multi-head attention on features of a finite group G, exactly equivariant under G.

    On each element g and head h, with queries, keys and values that are group convolutions of the
    features, and the matrix :math:`R(\theta)` that turns channel pairs by the angles
    :math:`\theta_f = x \cdot (g\, \omega_{h, f})`,

    .. math:: y_i = \sum_j a_{ij}\, v_j, \qquad
        a_{ij} = \mathrm{softmax}_j \frac{q_i^\top R(\theta_j - \theta_i)\, k_j}{\sqrt{d}}

    Only differences of positions enter, and the frequencies :math:`\omega` turn with the group. In
    the linear form :math:`a_{ij}` is the product itself, divided by the number of points: a
    convolution, with a cost linear in their number.

    Args:
        channels: channels C of input and output.
        heads: number of heads, which divides ``channels`` into even widths.
        group: the group, see `geozoo.geometry.finite_group`.
        form: ``"softmax"`` or ``"linear"``.
        sigma: scale of the initial frequencies, in inverse units of length.
        start: how frequencies start, see `geozoo.nn.embedding.initial_frequencies`.
        turn_values: turn values too, and the sum back: :math:`R(\theta_j - \theta_i)\, v_j`.

    Raises:
        ValueError: If a size or an option is invalid.

    Note:
        The fused softmax kernel has no second derivative. It is used unless positions require a
        gradient, as they do for forces, or within `geozoo.ops.textbook`.

    Reference:
        J. Su et al., RoFormer, Neurocomputing 568, 2024 (rotary embeddings); Platonic
        Transformers, arXiv:2510.03511.
    """

    elements: Tensor

    def __init__(
        self,
        channels: int,
        heads: int,
        group: FiniteGroup,
        *,
        form: AttentionForm = "softmax",
        sigma: float = 1.0,
        start: str = "spiral",
        turn_values: bool = False,
    ) -> None:
        super().__init__()
        check_positive(channels=channels, heads=heads)
        check_choice("form", form, get_args(AttentionForm))
        if channels % (2 * heads):
            raise ValueError(
                f"channels must be a multiple of 2 * heads ({2 * heads}), since rotary embeddings "
                f"turn pairs of channels of a head, got {channels}"
            )
        self.channels, self.heads, self.form, self.turn_values = channels, heads, form, turn_values
        self.inward = GroupLinear(channels, 3 * channels, group)
        self.outward = GroupLinear(channels, channels, group)
        dim, pairs = group.elements.shape[-1], channels // (2 * heads)
        self.frequencies = nn.Parameter(initial_frequencies(pairs, dim, sigma, start, groups=heads))
        self.register_buffer("elements", group.elements.clone(), persistent=False)

    def forward(
        self,
        x: Float[Tensor, "N G C"],
        pos: Float[Tensor, "N dim"],
        batch: Int[Tensor, " N"] | PointBlocks,
    ) -> Float[Tensor, "N G C"]:
        """Return the new features.

        Args:
            x: features of each point and element.
            pos: positions.
            batch: graph of each point, sorted, or the blocks of `point_blocks`, which a compiled
                region needs for more than one graph.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        size, dim = self.elements.shape[:2]
        check_shape("x", x, "N G C", None, size, self.channels)
        check_shape("pos", pos, "N dim", x.shape[0], dim)
        if isinstance(batch, Tensor):
            check_shape("batch", batch, "N", x.shape[0])
            batch = point_blocks(batch, int(batch[-1]) + 1 if len(batch) else 0)
        angles = turned_angles(pos, self.frequencies, self.elements.to(pos.dtype))
        cos, sin = angles.cos(), angles.sin()
        query, key, value = self.inward(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        query, key = turn_pairs(query, cos, sin), turn_pairs(key, cos, sin)
        if self.turn_values:
            value = turn_pairs(value, cos, sin)
        query, key, value = (
            batch.stack(part.flatten(1, 2)).transpose(1, 2) for part in (query, key, value)
        )
        if self.form == "linear":
            mixed = _linear(query, key, value, batch)
        else:
            as_written = is_textbook() or pos.requires_grad
            mixed = _softmax(query, key, value, batch, as_written=as_written)
        out = batch.flatten(mixed.transpose(1, 2)).unflatten(1, (size, self.heads))
        if self.turn_values:
            out = turn_pairs(out, cos, -sin)
        return self.outward(out.flatten(2).to(x.dtype))

    def extra_repr(self) -> str:
        """Return the options for ``repr``."""
        return f"form={self.form}, heads={self.heads}, turn_values={self.turn_values}"


def _softmax(
    query: Tensor, key: Tensor, value: Tensor, blocks: PointBlocks, *, as_written: bool
) -> Tensor:
    """Attention ``[B, G H, L, d]`` within blocks."""
    mask = None if blocks.mask is None else blocks.mask.unsqueeze(1)
    if not as_written and query.numel():
        value = value.to(query.dtype)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, -1) @ value.to(scores.dtype)


def _linear(query: Tensor, key: Tensor, value: Tensor, blocks: PointBlocks) -> Tensor:
    """The same without softmax, divided by the number of points."""
    query, value = query / math.sqrt(query.shape[-1]), value.to(query.dtype)
    mask, counts = blocks.mask, blocks.counts.clamp_min(1)
    if mask is not None and mask.shape[1] > 1:  # edges, or one block for all graphs
        seen = mask.unsqueeze(1).to(query.dtype)
        return (query @ key.mT * (seen / seen.sum(-1, keepdim=True))) @ value
    if mask is not None:
        key = key * mask.unsqueeze(-1).to(key.dtype)  # [B, 1, L, 1]
    weight = counts.to(query.dtype).reciprocal()[:, None, None, None]
    return query @ (key.mT @ value * weight)
