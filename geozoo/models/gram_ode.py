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
    """Heads of the attentions of GRAM-ODE.

    Attributes:
        local_heads: heads of the local modules' attention; divides 8 C and C T/3.
        readout_heads: heads of the readout, a divisor of the horizon; None: one a step.

    Raises:
        ValueError: for less than one head.
    """

    local_heads: int = 32
    readout_heads: int | None = None

    def __post_init__(self) -> None:
        """Refuse less than one head."""
        check_positive(local_heads=self.local_heads)
        if self.readout_heads is not None:
            check_positive(readout_heads=self.readout_heads)


class GramODE(TwoGraphForecaster):
    r"""Forecast sensor series by neural ODEs on a road graph and on a graph of similar days.

    Several branches on each of the two graphs, with separate weights, of spatio-temporal blocks in
    sequence; attention of the sensors to each other turns all their outputs into the forecast.
    At ``hidden_channels`` 64 all widths are the published ones: local attention with queries of
    8 C and values of C for every 3 steps, readout with C/2 channels a head for queries and keys.

    Args:
        spatial_adjacency: normalised road graph ``[N, N]``, in the paper
            :math:`0.4\,(I + D^{-1/2} A D^{-1/2})`; kept as a buffer.
        semantic_adjacency: the same of the graph of similar sensors.
        in_channels: features F of each sensor and step.
        input_steps: steps T of a window, a multiple of 3.
        horizon: steps H of the forecast.
        hidden_channels: width C of the features.
        steps_per_day: steps of a day, for the time of the day as a feature.
        variant: ``"paper"``, or ``"released"`` for the function of the published code, in which
            moreover a temporal convolution with equally wide ends is only a ReLU (and has no
            parameters here).
        branches: how many, of how many blocks, and their temporal convolutions.
        attention: heads of the local modules and of the readout.
        equations: single choices against the variant, and the form of evaluation.
        integrator: solver of all modules; published: one unit step of ``"euler"`` for the global
            and edge modules, three for the local ones.
        ablation: the parts that there are, for the paper's ablations.
        extensions: a learned graph, and the time of the day.

    Raises:
        ValueError: for adjacencies that are not square, finite and of one size, for sizes that do
            not divide as said, unknown names, or switches that leave nothing to do.

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
            x: features of each window, step and sensor, normalised.
            time: slot of the day and day of the week; read with ``use_time``.

        Raises:
            ValueError: for another shape, or a time that is needed and missing.
        """
        with textbook(when=self.backend == "textbook"):
            outputs = self.branch_outputs(x, time)
            # The published order of the readout's inputs: step, channel, and the branch fastest.
            return self.readout(torch.stack(outputs, -1).flatten(2)).transpose(1, 2)


def _check_widths(input_steps: int, horizon: int, hidden_channels: int, readout_heads: int) -> None:
    check_positive(horizon=horizon, hidden_channels=hidden_channels)
    if input_steps < 3 or input_steps % 3:
        raise ValueError(f"input_steps must be a multiple of 3, got {input_steps!r}")
    if hidden_channels < 2:
        raise ValueError(f"hidden_channels must be at least 2, got {hidden_channels!r}")
    if horizon % readout_heads:
        raise ValueError(f"readout_heads must divide horizon ({horizon}), got {readout_heads!r}")
