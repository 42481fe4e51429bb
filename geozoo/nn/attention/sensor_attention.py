"""Multi-head attention of all sensors of a window to each other."""

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

    and the heads side by side.

    Args:
        in_channels: channels D of the input.
        key_channels: channels of queries and keys, all heads together.
        value_channels: channels V of the values and so of the output.
        heads: number of heads.
        mix: without (False), every sensor returns its own value: no attention, and no queries and
            keys.

    Raises:
        ValueError: if a size is below 1 or the heads do not divide the channels.

    Note:
        The kernel that needs no ``[N, N]`` scores in memory has no second derivative. For that, run
        it within `geozoo.ops.textbook`, or forward and backward under
        ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``.

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
        """Return what each sensor gathers from all.

        Args:
            x: features of each window and sensor.

        Raises:
            ValueError: for another shape.
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
        # The fused kernels want one width for all three: zeros are cheaper than the [N, N] scores
        # that torch would otherwise keep for every window and head.
        width, scale = value.shape[-1], query.shape[-1] ** -0.5
        common = max(width, query.shape[-1])
        query, key, value = (
            part if part.shape[-1] == common else functional.pad(part, (0, common - part.shape[-1]))
            for part in (query, key, value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        return mixed[..., :width].transpose(1, 2).flatten(2)
