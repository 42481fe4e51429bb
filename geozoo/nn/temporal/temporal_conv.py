"""Dilated causal temporal convolutions with a residual connection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.nn.temporal._causal_levels import causal_levels, causal_sum
from geozoo.ops import is_textbook, is_traced
from geozoo.ops._tracing import is_autocast

#: Standard deviation of the initial weights.
_SPREAD = 0.01


class TemporalConv(nn.Module):
    r"""Temporal convolutional network: causal levels of dilation 1, 2, 4, ..., and a residual.

    .. math::
        h_0 = x, \qquad
        h_{l+1}[t] = \mathrm{dropout}\Big(\mathrm{ReLU}\Big(
        \beta_l + \sum_k W_{l,k}\, h_l[t - (K - 1 - k)\, 2^l]\Big)\Big), \qquad
        y = \mathrm{ReLU}(h_L + R\, x)

    with zero padding before the first step. R is a linear map if the widths differ, otherwise the
    identity. Weights are initialised from N(0, 0.01^2), biases uniformly within the inverse square
    root of the fan-in.

    Args:
        in_channels: channels of the input.
        channels: channels of each level; the last is the number of output channels.
        kernel_size: number K of taps.
        dropout: dropout probability after each level.
        skip_when_equal_width: if input and output have equal widths, return ReLU(x), without
            parameters. The published code of GRAM-ODE does so due to an operator precedence bug.

    Raises:
        ValueError: If a size is below 1, or ``dropout`` is outside [0, 1).

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (temporal convolution); after S. Bai,
        J. Z. Kolter, V. Koltun, An Empirical Evaluation of Generic Convolutional and Recurrent
        Networks for Sequence Modeling, 2018, arXiv:1803.01271, section 3.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int] = (64, 32, 64),
        *,
        kernel_size: int = 2,
        dropout: float = 0.2,
        skip_when_equal_width: bool = False,
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("channels must have at least one level, got none")
        check_positive(in_channels=in_channels, kernel_size=kernel_size)
        check_positive(**{f"channels[{level}]": width for level, width in enumerate(channels)})
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        self.in_channels, self.out_channels = in_channels, channels[-1]
        self.skipped = skip_when_equal_width and in_channels == channels[-1]
        widths = [] if self.skipped else [in_channels, *channels]
        self.levels = nn.ModuleList(
            _CausalLevel(widths[level], widths[level + 1], kernel_size, 2**level)
            for level in range(len(widths) - 1)
        )
        self.dropout = nn.Dropout(dropout)
        self.residual: nn.Linear | None = None
        if in_channels != channels[-1]:
            self.residual = nn.Linear(in_channels, channels[-1])
            nn.init.normal_(self.residual.weight, std=_SPREAD)

    def forward(self, x: Float[Tensor, "B N T C"]) -> Float[Tensor, "B N T out"]:
        """Return the convolved features.

        Args:
            x: features of each window, sensor and step.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N T C", None, None, None, self.in_channels)
        if self.skipped:
            return functional.relu(x)
        if is_textbook() or is_traced() or x.device.type != "cpu" or is_autocast(x):
            hidden = x
            for level in self.levels:
                hidden = self.dropout(functional.relu(level(hidden)))
        else:
            hidden = self._in_blocks(x)
        return functional.relu(hidden + (x if self.residual is None else self.residual(x)))

    def _in_blocks(self, x: Tensor) -> Tensor:
        levels = cast("list[_CausalLevel]", list(self.levels))
        masks: list[Tensor] = []
        if self.training and self.dropout.p:
            # The masks that `nn.Dropout` would draw after each level.
            ones = (x.new_ones(()).expand(*x.shape[:3], level.weight.shape[1]) for level in levels)
            masks = [self.dropout(one.contiguous()) for one in ones]
        weights, biases = [level.weight for level in levels], [level.bias for level in levels]
        return causal_levels(x, weights, biases, masks)


class _CausalLevel(nn.Module):
    """One dilated causal convolution along axis 2; tap K - 1 is the current step."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int
    ) -> None:
        super().__init__()
        self.dilation = dilation
        bound = 1 / math.sqrt(in_channels * kernel_size)
        self.weight = nn.Parameter(_SPREAD * torch.randn(kernel_size, out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        past = len(self.weight) - 1
        if is_textbook():
            return causal_sum(x, self.weight, self.bias, self.dilation)
        # Pad both sides and cut the end off: one-sided padding would copy the input.
        lag = past * self.dilation
        weight = self.weight.permute(1, 2, 0).unsqueeze(2)
        image = x.permute(0, 3, 1, 2)  # [B, C, N, T], channels last in memory
        convolved = functional.conv2d(
            image, weight, self.bias, padding=(0, lag), dilation=(1, self.dilation)
        )
        return convolved[..., : x.shape[2]].permute(0, 2, 3, 1)
