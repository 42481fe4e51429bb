"""Multi-head self-attention over the sensors of a window."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.ops import is_textbook


class SensorAttention(nn.Module):
    r"""Multi-head self-attention over the sensor axis, without an output projection.

    .. math::
        y_i^h = \sum_j \mathrm{softmax}_j\Big(\frac{q_i^h \cdot k_j^h}{\sqrt{d}}\Big)\, v_j^h

    with the heads concatenated.

    Args:
        in_channels: channels D of the input.
        key_channels: total channels of queries and keys over all heads.
        value_channels: total channels V of the values and of the output.
        heads: number of heads.
        mix: False: ablation without attention; each sensor returns its own value, and there are no
            query and key projections.

    Raises:
        ValueError: If a size is below 1, or ``heads`` does not divide the channels.

    Note:
        The fused kernel does not store the ``[N, N]`` scores and has no second derivative. For
        second derivatives, evaluate it within `geozoo.ops.textbook`, or run forward and backward
        under ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``.

    Reference:
        A. Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.2; Liu et al., TMLR
        2023, arXiv:2305.18687, section 4 (local modules and forecast).
    """

    def __init__(
        self,
        in_channels: int,
        key_channels: int,
        value_channels: int,
        heads: int,
        *,
        mix: bool = True,
    ) -> None:
        super().__init__()
        sizes = {"key_channels": key_channels, "value_channels": value_channels}
        check_positive(in_channels=in_channels, heads=heads, **sizes)
        for name, size in sizes.items():
            if size % heads:
                raise ValueError(f"heads must divide {name} ({size}), got {heads}")
        self.in_channels, self.heads, self.mix = in_channels, heads, mix
        if mix:
            self.query = nn.Linear(in_channels, key_channels)
            self.key = nn.Linear(in_channels, key_channels)
        self.value = nn.Linear(in_channels, value_channels)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N V"]:
        """Return the attention output of each sensor.

        Args:
            x: features of each window and sensor.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N D", None, None, self.in_channels)
        if not self.mix:
            return self.value(x)
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        if is_textbook():
            scores = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)
            return (scores @ value).transpose(1, 2).flatten(2)
        # The fused kernels need equal widths of query, key and value: zero padding is cheaper than
        # the [N, N] scores that PyTorch would otherwise store for every window and head.
        width, scale = value.shape[-1], query.shape[-1] ** -0.5
        common = max(width, query.shape[-1])
        query, key, value = (
            part if part.shape[-1] == common else functional.pad(part, (0, common - part.shape[-1]))
            for part in (query, key, value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        return mixed[..., :width].transpose(1, 2).flatten(2)
