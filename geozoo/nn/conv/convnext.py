"""Residual block around a convolution."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.conv.attentive_conv import AttentiveConv
from geozoo.nn.edges import Edges
from geozoo.nn.embedding.spline import SplineTerms
from geozoo.ops import gelu_linear


class ConvNeXtBlock(nn.Module):
    r"""ConvNeXt block: convolution, layer norm, inverted-bottleneck MLP, layer scale, residual.

    .. math:: x + \gamma \odot W_2\, \mathrm{GELU}(W_1\, \mathrm{LN}(\mathrm{conv}(x)))

    The residual connection is present if input and output have equal widths.

    Args:
        conv: the convolution, called as ``conv(x, **neighborhood)``; `calibrate` requires it to
            have a `calibrate` method with the same arguments.
        in_channels: channels of the block's input.
        out_channels: channels of the convolution's and the block's output.
        widening: expansion factor of the MLP's hidden layer.
        layer_scale: initial value of the learned per-channel scale; None: no layer scale.

    Raises:
        ValueError: If a size is below 1, or ``layer_scale`` is not finite.

    Reference:
        Z. Liu et al., A ConvNet for the 2020s, CVPR 2022, figure 4.
    """

    def __init__(
        self,
        conv: KernelConv | AttentiveConv,
        in_channels: int,
        out_channels: int,
        *,
        widening: int = 4,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, widening=widening)
        if layer_scale is not None and not math.isfinite(layer_scale):
            raise ValueError(f"layer_scale must be finite, got {layer_scale!r}")
        self.conv = conv
        self.norm = nn.LayerNorm(out_channels)
        self.linear_1 = nn.Linear(out_channels, widening * out_channels)
        self.linear_2 = nn.Linear(widening * out_channels, out_channels)
        scale = None if layer_scale is None else torch.full((out_channels,), float(layer_scale))
        self.layer_scale = None if scale is None else nn.Parameter(scale)
        self.residual = in_channels == out_channels

    def forward(self, x: Tensor, **neighborhood: Tensor | SplineTerms | Edges | None) -> Tensor:
        """Return the new features; ``neighborhood`` is passed on to the convolution."""
        return self._mix(x, self.conv(x, **neighborhood))

    @torch.no_grad()
    def calibrate(self, x: Tensor, **neighborhood: Tensor | SplineTerms | Edges | None) -> Tensor:
        """Calibrate the convolution on this input; return the output before the rescaling."""
        return self._mix(x, self.conv.calibrate(x, **neighborhood))

    def _mix(self, x: Tensor, convolved: Tensor) -> Tensor:
        out = self.linear_1(self.norm(convolved))
        weight: Tensor = self.linear_2.weight
        bias: Tensor = self.linear_2.bias
        if self.layer_scale is not None:  # of the few rows of the map, not of all nodes
            weight, bias = self.layer_scale.unsqueeze(1) * weight, self.layer_scale * bias
        out = gelu_linear(out, weight, bias)
        return x + out if self.residual else out
