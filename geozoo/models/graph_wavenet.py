"""Graph WaveNet: dilated temporal and diffusion convolutions on a road and a learned graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive
from geozoo.geometry import random_walk_adjacency
from geozoo.models._forecast_inputs import check_adjacency, check_windows, with_clock
from geozoo.nn import DiffusionConv, GatedTemporalConv, LearnedGraph


class GraphWaveNet(nn.Module):
    """Gated temporal and diffusion convolutions on up to three graphs, with skip connections.

    The dilation doubles from layer to layer within a block. The window is zero-padded in the past
    so that one step remains at the end. The summed skip connections pass through a readout of two
    linear layers. The diffusion after the last layer is omitted, since its output is unused.

    Args:
        road_adjacency: weighted road graph ``[N, N]``, the weight of i -> j at ``[i, j]``.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        steps_per_day: time steps per day.
        hidden_channels: width of the layers.
        skip_channels: width of the skip connections.
        readout_channels: hidden width of the readout.
        num_blocks: number of blocks.
        num_layers: number of layers per block.
        num_steps: number of diffusion steps.
        learned_graph_channels: embedding width of the learned graph; None: no learned graph.
        dropout: dropout probability after the diffusion.
        use_time: add the time of day as an input feature.

    Raises:
        TypeError: If ``road_adjacency`` is not a floating-point tensor.
        ValueError: If ``road_adjacency`` is not square, finite and non-negative, or a size is
            below 1.

    Reference:
        Z. Wu, S. Pan, G. Long, J. Jiang, C. Zhang, Graph WaveNet for Deep Spatial-Temporal Graph
        Modeling, IJCAI 2019, arXiv:1906.00121.

    >>> model = GraphWaveNet(torch.ones(5, 5), 1, 12, 12, 288, use_time=False)
    >>> model(torch.randn(2, 12, 5, 1)).shape
    torch.Size([2, 12, 5])
    """

    def __init__(
        self,
        road_adjacency: Float[Tensor, "N N"],
        in_channels: int,
        input_steps: int,
        horizon: int,
        steps_per_day: int,
        *,
        hidden_channels: int = 32,
        skip_channels: int = 256,
        readout_channels: int = 512,
        num_blocks: int = 4,
        num_layers: int = 2,
        num_steps: int = 2,
        learned_graph_channels: int | None = 10,
        dropout: float = 0.3,
        use_time: bool = True,
    ) -> None:
        super().__init__()
        self.num_nodes = check_adjacency("road_adjacency", road_adjacency)
        check_positive(
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            steps_per_day=steps_per_day, hidden_channels=hidden_channels,
            skip_channels=skip_channels, readout_channels=readout_channels, num_blocks=num_blocks,
            num_layers=num_layers,
        )  # fmt: skip
        self.in_channels, self.input_steps = in_channels, input_steps
        self.steps_per_day, self.use_time = steps_per_day, use_time
        for name, roads in (("walk", road_adjacency), ("walk_back", road_adjacency.T)):
            walk = random_walk_adjacency(roads.detach().double())
            self.register_buffer(name, walk.to(torch.get_default_dtype()))
        self.learned_graph = None
        if learned_graph_channels is not None:
            check_positive(learned_graph_channels=learned_graph_channels)
            self.learned_graph = LearnedGraph(self.num_nodes, learned_graph_channels)
        graphs = 2 + (self.learned_graph is not None)
        self.embedding = nn.Linear(in_channels + use_time, hidden_channels)
        dilations = [2**layer for _ in range(num_blocks) for layer in range(num_layers)]
        self.layers = nn.ModuleList(
            _Layer(
                hidden_channels, skip_channels, dilation, dropout,
                None if number == len(dilations) else
                DiffusionConv(hidden_channels, hidden_channels, num_graphs=graphs,
                              num_steps=num_steps),
            )
            for number, dilation in enumerate(dilations, 1)
        )  # fmt: skip
        self.readout_1 = nn.Linear(skip_channels, readout_channels)
        self.readout_2 = nn.Linear(readout_channels, horizon)

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
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        if self.use_time:
            x = with_clock(x, time, self.steps_per_day)
        receptive_field = 1 + sum(
            layer.conv.shrinks for layer in cast("Iterable[_Layer]", self.layers)
        )
        padding = max(0, receptive_field - self.input_steps)
        h = self.embedding(functional.pad(x, (0, 0, 0, 0, padding, 0))).transpose(1, 2)
        graphs = [self.walk, self.walk_back]
        if self.learned_graph is not None:
            graphs.append(self.learned_graph())
        total = h.new_zeros(())
        for layer in self.layers:
            h, skip = layer(h, graphs)
            total = total + skip
        hidden = torch.relu(self.readout_1(torch.relu(total)))
        return self.readout_2(hidden).transpose(1, 2)


class _Layer(nn.Module):
    """Gated temporal convolution, skip connection of the last step, diffusion convolution."""

    def __init__(
        self, channels: int, skip_channels: int, dilation: int, dropout: float,
        diffusion: DiffusionConv | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = GatedTemporalConv(channels, channels, 2, dilation=dilation)
        self.skip = nn.Linear(channels, skip_channels)
        self.diffusion = diffusion
        self.dropout = nn.Dropout(dropout)
        self.norm = None if diffusion is None else nn.BatchNorm1d(channels)

    def forward(self, h: Tensor, graphs: list[Tensor]) -> tuple[Tensor, Tensor]:
        gated = self.conv(h)
        skip = self.skip(gated[:, :, -1])
        if self.diffusion is None or self.norm is None:
            return gated, skip
        mixed = self.diffusion(gated, graphs)
        mixed = self.dropout(mixed) + h[:, :, -mixed.shape[2] :]
        return self.norm(mixed.flatten(0, 2)).view_as(mixed), skip
