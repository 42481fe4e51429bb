"""AGCRN: recurrent networks on a learned graph with per-sensor weights."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._forecast_inputs import check_windows
from geozoo.nn.graph import (
    AdaptiveGraphConv,
    AdaptiveWeights,
    adaptive_graph,
    adaptive_polynomials,
    gated_recurrence,
    hops,
    uses_recurrence,
)


class AGCRN(nn.Module):
    r"""GRU with adaptive graph convolutions; needs no road graph.

    .. math::
        z, r &= \sigma(\Theta * [x_t, h_{t-1}]), \quad
        c = \tanh(\Theta_c * [x_t, z \odot h_{t-1}]), \quad
        h_t = r \odot h_{t-1} + (1 - r) \odot c

    A linear readout of the last state gives all steps of the forecast.

    Args:
        num_nodes: number N of sensors.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        hidden_channels: width of the hidden states.
        embedding_channels: width of the sensor embeddings.
        num_layers: number of recurrent layers.
        order: number of Chebyshev polynomials of the learned graph.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        L. Bai, L. Yao, C. Li, X. Wang, C. Wang, Adaptive Graph Convolutional Recurrent Network for
        Traffic Forecasting, NeurIPS 2020, arXiv:2007.02842.

    >>> model = AGCRN(5, 1, 12, 12)
    >>> model(torch.randn(2, 12, 5, 1)).shape
    torch.Size([2, 12, 5])
    """

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        input_steps: int,
        horizon: int,
        *,
        hidden_channels: int = 64,
        embedding_channels: int = 10,
        num_layers: int = 2,
        order: int = 2,
    ) -> None:
        super().__init__()
        check_positive(
            num_nodes=num_nodes, in_channels=in_channels, input_steps=input_steps,
            horizon=horizon, hidden_channels=hidden_channels, num_layers=num_layers,
        )  # fmt: skip
        self.num_nodes, self.in_channels, self.input_steps = num_nodes, in_channels, input_steps
        self.hidden_channels = hidden_channels
        self.sensor = nn.Parameter(torch.randn(num_nodes, embedding_channels))
        widths = [in_channels] + [hidden_channels] * (num_layers - 1)
        self.cells = nn.ModuleList(
            _Cell(width, hidden_channels, embedding_channels, order) for width in widths
        )
        self.readout = nn.Linear(hidden_channels, horizon)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: normalised input windows.
            time: ignored.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        graph = adaptive_graph(self.sensor)
        if uses_recurrence(x):
            return self._in_recurrences(x, graph)
        zero = x.new_zeros(x.shape[0], self.num_nodes, self.hidden_channels)
        steps = list(x.unbind(1))
        for cell in self.cells:
            assert isinstance(cell, _Cell)
            # The same in all steps.
            weights = cell.generate(self.sensor, graph)
            state, states = zero, []
            for step in steps:
                state = cell(step, state, weights)
                states.append(state)
            steps = states
        return self.readout(steps[-1]).transpose(1, 2)

    def _in_recurrences(self, x: Tensor, graph: Tensor) -> Tensor:
        """Return the forecast, all steps of a layer in one operation."""
        steps = x.permute(1, 2, 0, 3)  # [T, N, B, F]
        zero = x.new_zeros(*steps.shape[1:3], self.hidden_channels)
        for cell in self.cells:
            assert isinstance(cell, _Cell)
            steps = cell.all_steps(steps, zero, self.sensor, graph)
        return self.readout(steps[-1]).permute(1, 2, 0)


class _Cell(nn.Module):
    """GRU cell with adaptive graph convolutions in place of linear maps."""

    def __init__(self, in_channels: int, channels: int, embedding: int, order: int) -> None:
        super().__init__()
        width = in_channels + channels
        options = {"embedding_channels": embedding, "order": order}
        self.gates = AdaptiveGraphConv(width, 2 * channels, **options)
        self.candidate = AdaptiveGraphConv(width, channels, **options)

    def generate(self, sensor: Tensor, graph: Tensor) -> tuple[AdaptiveWeights, AdaptiveWeights]:
        """Weights of gates and candidate."""
        return self.gates.generate(sensor, graph), self.candidate.generate(sensor, graph)

    def forward(
        self, x: Tensor, h: Tensor, weights: tuple[AdaptiveWeights, AdaptiveWeights]
    ) -> Tensor:
        gates = torch.sigmoid(self.gates(torch.cat([x, h], -1), weights[0]))
        reset, update = gates.chunk(2, -1)
        new = torch.tanh(self.candidate(torch.cat([x, reset * h], -1), weights[1]))
        return update * h + (1 - update) * new

    def all_steps(self, x: Tensor, state: Tensor, sensor: Tensor, graph: Tensor) -> Tensor:
        """Return the states ``[T, N, B, C]`` after each step of ``x [T, N, B, in]``."""
        steps, num_nodes, batch, width = x.shape
        # The part of the weights for x serves gates and candidate in one product for all steps.
        gates, candidate = (
            each.pool.unflatten(1, (each.order, each.in_channels))
            for each in (self.gates, self.candidate)
        )
        of_input = torch.cat([gates[:, :, :width], candidate[:, :, :width]], -1)
        graphs = adaptive_polynomials(graph, self.gates.order)
        parts = torch.cat(hops(x, graphs), -1).transpose(0, 1).flatten(1, 2)
        bias = sensor @ torch.cat([self.gates.bias, self.candidate.bias], -1)
        given = torch.baddbmm(bias.unsqueeze(1), parts, _weights(sensor, of_input).flatten(1, 2))
        inputs = given.unflatten(1, (steps, batch)).transpose(0, 1)
        maps = [_weights(sensor, each[:, :, width:]).transpose(0, 1) for each in (gates, candidate)]
        return gated_recurrence(inputs, state, maps[0], maps[1], graphs)


def _weights(sensor: Tensor, pool: Tensor) -> Tensor:
    """The weights ``[N, ...]`` of the sensors from a pool ``[D, ...]``."""
    return (sensor @ pool.flatten(1)).unflatten(1, pool.shape[1:])
