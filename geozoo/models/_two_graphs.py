"""Base class of forecasters on a road graph and a semantic graph of similar sensors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._forecast_inputs import (
    check_adjacencies,
    check_windows,
    with_clock,
)
from geozoo.models._two_graph_options import TwoGraphBranches, TwoGraphExtensions
from geozoo.nn import LearnedGraph, SpatioTemporalBlock

#: Creates a block, given the numbers of sensors and of input channels.
BlockMaker = Callable[[int, int], SpatioTemporalBlock]


class TwoGraphForecaster(nn.Module):
    """Base of GRAM-ODE and STGODE: graphs, branches and time features.

    Args:
        spatial_adjacency: normalised road graph ``[N, N]``; kept as a buffer.
        semantic_adjacency: normalised graph of similar sensors, ``[N, N]``.
        make_block: creates a block, given the numbers of sensors and of input channels.
        hidden_channels: output width of the blocks.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        steps_per_day: time steps per day, for the time-of-day feature.
        branches: options of the branches.
        extensions: learned graph and time of day.

    Raises:
        TypeError: If an adjacency is not a floating-point tensor.
        ValueError: If an adjacency is not square or not finite, their sizes differ, or a size is
            below 1.
    """

    spatial_adjacency: Tensor
    semantic_adjacency: Tensor

    def __init__(
        self,
        spatial_adjacency: Float[Tensor, "N N"],
        semantic_adjacency: Float[Tensor, "N N"],
        make_block: BlockMaker,
        *,
        hidden_channels: int,
        in_channels: int,
        input_steps: int,
        horizon: int,
        steps_per_day: int,
        branches: TwoGraphBranches,
        extensions: TwoGraphExtensions,
    ) -> None:
        super().__init__()
        self.num_nodes = check_adjacencies(spatial_adjacency, semantic_adjacency)
        check_positive(
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            steps_per_day=steps_per_day,
        )  # fmt: skip
        self.in_channels, self.input_steps, self.horizon = in_channels, input_steps, horizon
        self.use_time, self.steps_per_day = extensions.use_time, steps_per_day
        dtype = torch.get_default_dtype()
        self.register_buffer("spatial_adjacency", spatial_adjacency.detach().to(dtype, copy=True))
        self.register_buffer("semantic_adjacency", semantic_adjacency.detach().to(dtype, copy=True))
        self.learned_graph: LearnedGraph | None = None
        if extensions.learned_graph_channels is not None:
            self.learned_graph = LearnedGraph(self.num_nodes, extensions.learned_graph_channels)

        def make_branches() -> nn.ModuleList:
            first = in_channels + extensions.use_time
            widths = [first] + [hidden_channels] * (branches.num_blocks - 1)
            return nn.ModuleList(
                nn.ModuleList(make_block(self.num_nodes, width) for width in widths)
                for _ in range(branches.num_branches)
            )

        self.spatial_branches = make_branches()
        self.semantic_branches = make_branches()

    def branch_outputs(
        self, x: Float[Tensor, "B T N F"], time: Int[Tensor, "B T_plus_H 2"] | None
    ) -> list[Float[Tensor, "B N T C"]]:
        """Return the output features of each branch, those on the road graph first.

        Args:
            x: normalised input windows.
            time: time-of-day slot and day of the week; required with ``use_time``.

        Raises:
            ValueError: If a tensor has the wrong shape, or a required ``time`` is missing.
        """
        features = self._with_clock(x, time).transpose(1, 2)
        spatial = self.spatial_adjacency
        if self.learned_graph is not None:
            spatial = spatial + self.learned_graph()
        return [
            _run(branch, features, adjacency)
            for adjacency, branches in (
                (spatial, self.spatial_branches),
                (self.semantic_adjacency, self.semantic_branches),
            )
            for branch in branches
        ]

    def _with_clock(self, x: Tensor, time: Tensor | None) -> Tensor:
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        return with_clock(x, time, self.steps_per_day) if self.use_time else x


def _run(branch: nn.Module, features: Tensor, adjacency: Tensor) -> Tensor:
    for block in branch:  # type: ignore[attr-defined]
        features = block(features, adjacency)
    return features
