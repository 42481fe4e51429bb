"""GRAM-ODE: graph-based multi-ODE network for traffic forecasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.checks import check_positive
from geozoo.models._two_graph_options import TwoGraphBranches, TwoGraphExtensions
from geozoo.models._two_graphs import TwoGraphForecaster
from geozoo.nn import (
    MultiODEBlock,
    ODEAblation,
    ODEEquations,
    SensorAttention,
    SpatioTemporalBlock,
    TemporalConv,
)
from geozoo.ode import Integrator
from geozoo.ops import textbook
from geozoo.options import grouped


@dataclass(frozen=True)
class GramODEAttention:
    """Numbers of attention heads of GRAM-ODE.

    Attributes:
        local_heads: heads of the local modules' attention; must divide 8 C and C T/3.
        readout_heads: heads of the readout, a divisor of the horizon; None: one head per step.

    Raises:
        ValueError: If a number of heads is below 1.
    """

    local_heads: int = 32
    readout_heads: int | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(local_heads=self.local_heads)
        if self.readout_heads is not None:
            check_positive(readout_heads=self.readout_heads)


class GramODE(TwoGraphForecaster):
    r"""Traffic forecasting by neural ODEs on a road graph and a semantic graph of similar sensors.

    Each of the two graphs has several branches of spatio-temporal blocks, with separate weights; a
    readout with attention over the sensors maps their outputs to the forecast. With
    ``hidden_channels`` 64 all widths are the published ones: local attention with 8 C query
    channels and C value channels per 3 steps, readout with C/2 query and key channels per head.

    Args:
        spatial_adjacency: normalised road graph ``[N, N]``, in the paper
            :math:`0.4\,(I + D^{-1/2} A D^{-1/2})`; kept as a buffer.
        semantic_adjacency: normalised graph of similar sensors, ``[N, N]``.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps, a multiple of 3.
        horizon: forecast horizon H, in steps.
        hidden_channels: width C of the features.
        steps_per_day: time steps per day, for the time-of-day feature.
        variant: ``"paper"``, or ``"released"`` to reproduce the published code, in which also a
            temporal convolution with equal input and output widths is only a ReLU (without
            parameters here).
        branches: number of branches and blocks, and their temporal convolutions.
        attention: attention heads of the local modules and of the readout.
        equations: options that override the variant, and the evaluation backend.
        integrator: ODE solver of all modules; published: one unit Euler step for the global and
            edge modules, three for the local ones.
        ablation: which parts of the blocks are enabled, for the paper's ablations.
        extensions: learned graph and time of day.

    Raises:
        ValueError: If an adjacency is not square or not finite, their sizes differ, a size is not
            divisible as required, an option is unknown, or too few modules are enabled.

    Reference:
        Z. Liu, P. Shojaee, C. K. Reddy, Graph-based Multi-ODE Neural Networks for Spatio-Temporal
        Traffic Forecasting, TMLR 2023, arXiv:2305.18687.

    >>> graph = 0.4 * torch.eye(5)
    >>> heads = {"local_heads": 4}
    >>> model = GramODE(graph, graph, in_channels=3, hidden_channels=8, attention=heads)
    >>> model(torch.randn(2, 12, 5, 3)).shape
    torch.Size([2, 12, 5])
    """

    @grouped("branches", "attention", "equations", "integrator", "ablation", "extensions")
    def __init__(
        self,
        spatial_adjacency: Float[Tensor, "N N"],
        semantic_adjacency: Float[Tensor, "N N"],
        *,
        in_channels: int,
        input_steps: int = 12,
        horizon: int = 12,
        hidden_channels: int = 64,
        steps_per_day: int = 288,
        variant: Literal["paper", "released"] = "paper",
        branches: TwoGraphBranches = TwoGraphBranches(),  # noqa: B008
        attention: GramODEAttention = GramODEAttention(),  # noqa: B008
        equations: ODEEquations = ODEEquations(),  # noqa: B008
        integrator: Integrator = Integrator(),  # noqa: B008
        ablation: ODEAblation = ODEAblation(),  # noqa: B008
        extensions: TwoGraphExtensions = TwoGraphExtensions(),  # noqa: B008
    ) -> None:
        heads = horizon if attention.readout_heads is None else attention.readout_heads
        _check_widths(input_steps, horizon, hidden_channels, heads)
        dynamics: dict[str, Any] = {
            "channels": hidden_channels, "steps": input_steps, "variant": variant,
            "equations": equations, "local_heads": attention.local_heads, "integrator": integrator,
            "ablation": ablation,
        }  # fmt: skip
        convolution: dict[str, Any] = {
            "channels": (hidden_channels, branches.bottleneck_channels, hidden_channels),
            "dropout": branches.dropout, "skip_when_equal_width": variant == "released",
        }  # fmt: skip

        def make_block(num_nodes: int, channels: int) -> SpatioTemporalBlock:
            return SpatioTemporalBlock(
                TemporalConv(channels, **convolution),
                MultiODEBlock(num_nodes, **dynamics),
                TemporalConv(hidden_channels, **convolution),
                recompute=branches.recompute,
            )

        super().__init__(
            spatial_adjacency, semantic_adjacency, make_block, hidden_channels=hidden_channels,
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            steps_per_day=steps_per_day, branches=branches, extensions=extensions,
        )  # fmt: skip
        self.backend = equations.backend
        self.readout = SensorAttention(
            input_steps * hidden_channels * 2 * branches.num_branches,
            heads * (hidden_channels // 2),
            horizon,
            heads,
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
        with textbook(when=self.backend == "textbook"):
            outputs = self.branch_outputs(x, time)
            # The published order of the readout's inputs: step, channel, branch (fastest).
            return self.readout(torch.stack(outputs, -1).flatten(2)).transpose(1, 2)


def _check_widths(input_steps: int, horizon: int, hidden_channels: int, readout_heads: int) -> None:
    check_positive(horizon=horizon, hidden_channels=hidden_channels)
    if input_steps < 3 or input_steps % 3:
        raise ValueError(f"input_steps must be a multiple of 3, got {input_steps!r}")
    if hidden_channels < 2:
        raise ValueError(f"hidden_channels must be at least 2, got {hidden_channels!r}")
    if horizon % readout_heads:
        raise ValueError(f"readout_heads must divide horizon ({horizon}), got {readout_heads!r}")
