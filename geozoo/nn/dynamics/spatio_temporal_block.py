"""Spatio-temporal block: graph dynamics between two temporal convolutions."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_shape
from geozoo.nn.dynamics.multi_ode_block import MultiODEBlock
from geozoo.nn.dynamics.tensor_ode import TensorODE
from geozoo.nn.temporal import TemporalConv
from geozoo.ops import recomputed


class SpatioTemporalBlock(nn.Module):
    """Temporal convolution, graph dynamics, temporal convolution, per-sensor batch normalisation.

    The batch normalisation has one mean, variance, scale and bias per sensor, over batch, time and
    channels.

    Args:
        conv_in: temporal convolution to the channels of the dynamics.
        dynamics: the graph ODE block.
        conv_out: temporal convolution of the output of the dynamics.
        recompute: activation checkpointing: recompute the states of the convolutions and the
            dynamics in the backward pass, which saves memory for about a third more time. Values,
            gradients, running statistics and dropout are unchanged.

    Raises:
        ValueError: If the channels of the three parts do not match.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (ST block); with `TensorODE`: Fang et
        al., KDD 2021, arXiv:2106.12931 (STGODE layer).
    """

    def __init__(
        self,
        conv_in: TemporalConv,
        dynamics: MultiODEBlock | TensorODE,
        conv_out: TemporalConv,
        *,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        widths = {
            "conv_in.out_channels": conv_in.out_channels,
            "conv_out.in_channels": conv_out.in_channels,
        }
        for name, width in widths.items():
            if width != dynamics.channels:
                raise ValueError(
                    f"{name} must equal dynamics.channels ({dynamics.channels}), got {width}"
                )
        self.conv_in, self.dynamics, self.conv_out = conv_in, dynamics, conv_out
        self.input_shape = (None, dynamics.num_nodes, dynamics.steps, conv_in.in_channels)
        self.norm = nn.BatchNorm2d(dynamics.num_nodes)
        self.recompute = recompute

    def forward(
        self, x: Float[Tensor, "B N T in_channels"], adjacency: Float[Tensor, "N N"]
    ) -> Float[Tensor, "B N T C"]:
        """Return the block's features.

        Args:
            x: features of each window, sensor and step.
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N T in", *self.input_shape)
        # The normalisation is not recomputed: it would update its running statistics twice.
        if self.recompute and self.training:
            features = recomputed(self._features, x, adjacency, keeps_random=True)
        else:
            features = self._features(x, adjacency)
        return self.norm(features)

    def _features(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return self.conv_out(self.dynamics(self.conv_in(x), adjacency))
