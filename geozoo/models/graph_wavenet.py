"""Dilated convolutions along time, random walks on roads and on a learned graph."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive
from geozoo.geometry import random_walk_adjacency
from geozoo.models._forecast_inputs import check_adjacency, check_windows, with_clock
from geozoo.nn import DiffusionConv, GatedTemporalConv, LearnedGraph


class GraphWaveNet(nn.Module):
    """Layers of a gated convolution along time and a diffusion over three graphs, with skips.

    Within a block the distance between the steps that a layer sees doubles. The window is padded
    with zeros in the past, so that one step is left at the end; the sums of what the layers tell
    of it go through two linear maps to the forecast. The diffusion after the last layer, which
    nothing follows, is left out.

    Args:
        road_adjacency: weights of the roads ``[N, N]``, the one from i to j at ``[i, j]``.
        in_channels: features F of each sensor and step.
        input_steps: steps T of a window.
        horizon: steps H of the forecast.
        steps_per_day: steps of a day.
        hidden_channels: width of the layers.
        skip_channels: width of what the layers tell.
        readout_channels: width between the two linear maps at the end.
        num_blocks: blocks.
        num_layers: layers of a block.
        num_steps: steps of the random walks.
        learned_graph_channels: width of the embeddings of the learned graph; None: no such graph.
        dropout: probability of dropping a feature after the diffusion.
        use_time: the time of the day as one more feature.

    Raises:
        TypeError: for roads that are not a tensor of floating-point numbers.
        ValueError: for roads that are not square, finite and non-negative, or sizes below 1.

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
            x: features of each window, step and sensor, normalised.
            time: slot of the day and day of the week; read with ``use_time``.

        Raises:
            ValueError: for another shape, or a time that is needed and missing.
        """
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        if self.use_time:
            x = with_clock(x, time, self.steps_per_day)
        seen = 1 + sum(layer.conv.shrinks for layer in self.layers)
        padding = max(0, seen - self.input_steps)
        h = self.embedding(functional.pad(x, (0, 0, 0, 0, padding, 0))).transpose(1, 2)
        graphs = [self.walk, self.walk_back]
        if self.learned_graph is not None:
            graphs.append(self.learned_graph())
        told: Tensor | float = 0.0
        for layer in self.layers:
            h, part = layer(h, graphs)
            told = told + part
        hidden = torch.relu(self.readout_1(torch.relu(told)))
        return self.readout_2(hidden).transpose(1, 2)


class _Layer(nn.Module):
    """A gated convolution along time, what it tells of the newest step, and a diffusion."""

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
        told = self.skip(gated[:, :, -1])
        if self.diffusion is None or self.norm is None:
            return gated, told
        mixed = self.diffusion(gated, graphs)
        mixed = self.dropout(mixed) + h[:, :, -mixed.shape[2] :]
        return self.norm(mixed.flatten(0, 2)).view_as(mixed), told
