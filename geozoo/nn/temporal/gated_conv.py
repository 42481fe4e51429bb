"""Gated temporal convolution."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape


class GatedTemporalConv(nn.Module):
    r"""Gated temporal convolution.

    .. math:: y = f(W_1 * x + b_1) \odot \sigma(W_2 * x + b_2)

    with f the hyperbolic tangent or the identity (a gated linear unit). Causal and without padding:
    the output is ``(kernel_size - 1) * dilation`` steps shorter.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: number of taps.
        dilation: distance between taps, in steps.
        activation: ``"tanh"`` or ``"linear"``.

    Raises:
        ValueError: If a size is below 1, or ``activation`` is unknown.

    Reference:
        Z. Wu et al., Graph WaveNet, IJCAI 2019, arXiv:1906.00121, eq. 8 (tanh); B. Yu et al.,
        STGCN, IJCAI 2018, arXiv:1709.04875, section 3.3 (linear).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        activation: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size,
            dilation=dilation,
        )  # fmt: skip
        if activation not in ("tanh", "linear"):
            raise ValueError(f'activation must be "tanh" or "linear", got {activation!r}')
        self.in_channels, self.activation = in_channels, activation
        self.shrinks = (kernel_size - 1) * dilation
        self.conv = nn.Conv2d(
            in_channels, 2 * out_channels, (1, kernel_size), dilation=(1, dilation)
        )

    def forward(self, x: Float[Tensor, "B N T C"]) -> Float[Tensor, "B N T_out out"]:
        """Return the gated features of all steps with a full receptive field.

        Raises:
            ValueError: If ``x`` has the wrong shape, or is shorter than the receptive field.
        """
        check_shape("x", x, "B N T C", None, None, None, self.in_channels)
        if x.shape[2] <= self.shrinks:
            raise ValueError(f"x must have more than {self.shrinks} steps, got {x.shape[2]}")
        value, gate = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).chunk(2, -1)
        return (torch.tanh(value) if self.activation == "tanh" else value) * torch.sigmoid(gate)
