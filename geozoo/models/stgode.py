"""STGODE: tensor-based graph ODEs for traffic forecasting, the predecessor of GRAM-ODE."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._two_graph_options import TwoGraphBranches, TwoGraphExtensions
from geozoo.models._two_graphs import TwoGraphForecaster
from geozoo.nn import SpatioTemporalBlock, TemporalConv, TensorODE
from geozoo.ode import Integrator
from geozoo.options import grouped

#: A larger step overflows float32.
_LARGEST_TIME = 1e6


class StgODE(TwoGraphForecaster):
    """Traffic forecasting by linear graph ODEs on a road graph and a semantic graph.

    Each of the two graphs has several branches of blocks: temporal convolution,
    `geozoo.nn.TensorODE`, temporal convolution, per-sensor normalisation. The elementwise maximum
    over all branches passes through a two-layer readout to the forecast of each sensor.

    Args:
        spatial_adjacency: normalised road graph ``[N, N]``; kept as a buffer.
        semantic_adjacency: normalised graph of similar sensors, ``[N, N]``.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        hidden_channels: width C of the features.
        readout_channels: hidden width of the readout.
        end_time: final time of the ODE; the initial time is 0.
        steps_per_day: time steps per day, for the time-of-day feature.
        branches: number of branches and blocks, and their temporal convolutions.
        integrator: ODE solver; ``"euler"`` takes one step to ``end_time``.
        extensions: learned graph and time of day.

    Raises:
        TypeError: If an adjacency is not a floating-point tensor.
        ValueError: If an adjacency is not square or not finite, their sizes differ, a size is below
            1, or ``end_time`` is out of range.

    Reference:
        Z. Fang, Q. Long, G. Song, K. Xie, Spatial-Temporal Graph ODE Networks for Traffic Flow
        Forecasting, KDD 2021, arXiv:2106.12931.

    >>> graph = 0.4 * torch.eye(5)
    >>> model = StgODE(graph, graph, in_channels=3, hidden_channels=8)
    >>> model(torch.randn(2, 12, 5, 3)).shape
    torch.Size([2, 12, 5])
    """

    @grouped("branches", "integrator", "extensions")
    def __init__(
        self,
        spatial_adjacency: Float[Tensor, "N N"],
        semantic_adjacency: Float[Tensor, "N N"],
        *,
        in_channels: int,
        input_steps: int = 12,
        horizon: int = 12,
        hidden_channels: int = 64,
        readout_channels: int = 384,
        end_time: float = 1.0,
        steps_per_day: int = 288,
        branches: TwoGraphBranches = TwoGraphBranches(),  # noqa: B008
        integrator: Integrator = Integrator(),  # noqa: B008
        extensions: TwoGraphExtensions = TwoGraphExtensions(),  # noqa: B008
    ) -> None:
        check_positive(hidden_channels=hidden_channels)
        if not 0 < end_time <= _LARGEST_TIME:
            raise ValueError(
                f"end_time must be positive and at most {_LARGEST_TIME:g}, got {end_time!r}"
            )
        convolution: dict[str, Any] = {
            "channels": (hidden_channels, branches.bottleneck_channels, hidden_channels),
            "dropout": branches.dropout,
        }

        def make_block(num_nodes: int, channels: int) -> SpatioTemporalBlock:
            return SpatioTemporalBlock(
                TemporalConv(channels, **convolution),
                TensorODE(
                    num_nodes, hidden_channels, input_steps,
                    times=(0.0, end_time), integrator=integrator,
                ),
                TemporalConv(hidden_channels, **convolution),
                recompute=branches.recompute,
            )  # fmt: skip

        super().__init__(
            spatial_adjacency, semantic_adjacency, make_block, hidden_channels=hidden_channels,
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            steps_per_day=steps_per_day, branches=branches, extensions=extensions,
        )  # fmt: skip
        check_positive(readout_channels=readout_channels)
        self.readout = nn.Sequential(
            nn.Linear(input_steps * hidden_channels, readout_channels),
            nn.ReLU(),
            nn.Linear(readout_channels, horizon),
        )

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: normalised input windows.
            time: time-of-day slot and day of the week; required with ``use_time``.

        Raises:
            ValueError: If a tensor has the wrong shape, or a required ``time`` is missing.
        """
        largest = torch.stack(self.branch_outputs(x, time)).amax(0)
        return self.readout(largest.flatten(2)).transpose(1, 2)
