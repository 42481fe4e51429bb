"""DCRNN: recurrent networks with diffusion convolutions on the road graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive
from geozoo.geometry import random_walk_adjacency
from geozoo.models._forecast_inputs import check_adjacency, check_windows, with_clock
from geozoo.nn import DiffusionConv
from geozoo.nn.graph import gated_recurrence, hops, uses_recurrence


class DCRNN(nn.Module):
    r"""Encoder-decoder GRU with diffusion convolutions.

    .. math::
        r, u &= \sigma(\Theta * [x_t, h_{t-1}]), \quad
        c = \tanh(\Theta_c * [x_t, r \odot h_{t-1}]), \quad
        h_t = u \odot h_{t-1} + (1 - u) \odot c

    The decoder starts from zeros and then reads its own output, in training too. The scheduled
    sampling of the published training is not implemented because the decoder never sees targets.

    Args:
        road_adjacency: weighted road graph ``[N, N]``, the weight of i -> j at ``[i, j]``.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        steps_per_day: time steps per day.
        hidden_channels: width of the hidden states.
        num_layers: number of recurrent layers in the encoder and in the decoder.
        num_steps: number of diffusion steps.
        use_time: add the time of day as an input feature.

    Raises:
        TypeError: If ``road_adjacency`` is not a floating-point tensor.
        ValueError: If ``road_adjacency`` is not square, finite and non-negative, or a size is
            below 1.

    Reference:
        Y. Li, R. Yu, C. Shahabi, Y. Liu, Diffusion Convolutional Recurrent Neural Network:
        Data-Driven Traffic Forecasting, ICLR 2018, arXiv:1707.01926.

    >>> model = DCRNN(torch.ones(5, 5), 1, 12, 12, 288, use_time=False)
    >>> model(torch.randn(2, 12, 5, 1)).shape
    torch.Size([2, 12, 5])
    """

    walk: Tensor
    walk_back: Tensor

    def __init__(
        self,
        road_adjacency: Float[Tensor, "N N"],
        in_channels: int,
        input_steps: int,
        horizon: int,
        steps_per_day: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        num_steps: int = 2,
        use_time: bool = True,
    ) -> None:
        super().__init__()
        self.num_nodes = check_adjacency("road_adjacency", road_adjacency)
        check_positive(
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            steps_per_day=steps_per_day, hidden_channels=hidden_channels, num_layers=num_layers,
        )  # fmt: skip
        self.in_channels, self.input_steps, self.horizon = in_channels, input_steps, horizon
        self.hidden_channels = hidden_channels
        self.steps_per_day, self.use_time = steps_per_day, use_time
        for name, roads in (("walk", road_adjacency), ("walk_back", road_adjacency.T)):
            walk = random_walk_adjacency(roads.detach().double())
            self.register_buffer(name, walk.to(torch.get_default_dtype()))

        def cells(first: int) -> nn.ModuleList:
            widths = [first] + [hidden_channels] * (num_layers - 1)
            return nn.ModuleList(_Cell(width, hidden_channels, num_steps) for width in widths)

        self.encoder = cells(in_channels + use_time)
        self.decoder = cells(1)
        self.readout = nn.Linear(hidden_channels, 1)

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
        graphs = [self.walk, self.walk_back]
        if uses_recurrence(x):
            return self._in_recurrences(x, graphs)
        zero = x.new_zeros(x.shape[0], self.num_nodes, self.hidden_channels)
        states = [zero] * len(self.encoder)
        for step in x.unbind(1):
            states = _step(self.encoder, step, states, graphs)
        previous, forecast = zero[..., :1], []
        for _ in range(self.horizon):
            states = _step(self.decoder, previous, states, graphs)
            previous = self.readout(states[-1])
            forecast.append(previous.squeeze(-1))
        return torch.stack(forecast, 1)

    def _in_recurrences(self, x: Tensor, graphs: list[Tensor]) -> Tensor:
        """Return the forecast, all steps of an encoder layer in one operation."""
        steps = x.permute(1, 2, 0, 3)  # [T, N, B, F]
        zero = x.new_zeros(*steps.shape[1:3], self.hidden_channels)
        states = []
        for cell in _cells(self.encoder):
            steps = cell.all_steps(steps, zero, graphs, cell.split_weights())
            states.append(steps[-1])
        weights = [cell.split_weights() for cell in _cells(self.decoder)]
        previous, forecast = zero[None, ..., :1], []
        for _ in range(self.horizon):
            for i, cell in enumerate(_cells(self.decoder)):
                previous = cell.all_steps(previous, states[i], graphs, weights[i])
                states[i] = previous[0]
            previous = self.readout(previous)
            forecast.append(previous[0, ..., 0])
        return torch.stack(forecast).permute(2, 0, 1)


class _Weights(NamedTuple):
    """Weights of a cell, separate for its input and its state."""

    of_input: Tensor
    bias: Tensor
    gates: Tensor
    candidate: Tensor


class _Cell(nn.Module):
    """GRU cell with diffusion convolutions in place of linear maps."""

    def __init__(self, in_channels: int, channels: int, num_steps: int) -> None:
        super().__init__()
        width, self.channels = in_channels + channels, channels
        self.gates = DiffusionConv(width, 2 * channels, num_graphs=2, num_steps=num_steps)
        self.candidate = DiffusionConv(width, channels, num_graphs=2, num_steps=num_steps)
        nn.init.ones_(self.gates.linear.bias)  # initially, states persist

    def forward(self, x: Tensor, h: Tensor, graphs: list[Tensor]) -> Tensor:
        reset, update = torch.sigmoid(self.gates(torch.cat([x, h], -1), graphs)).chunk(2, -1)
        new = torch.tanh(self.candidate(torch.cat([x, reset * h], -1), graphs))
        return update * h + (1 - update) * new

    def split_weights(self) -> _Weights:
        """The weights of `all_steps`."""
        linears = self.gates.linear, self.candidate.linear
        parts = [each.weight.unflatten(1, (-1, self.gates.in_channels)) for each in linears]
        width = self.gates.in_channels - self.channels
        of_state = (each[..., width:].permute(1, 2, 0).unsqueeze(1) for each in parts)
        of_input = torch.cat([each[..., :width].flatten(1) for each in parts])
        return _Weights(of_input, torch.cat([each.bias for each in linears]), *of_state)

    def all_steps(
        self, x: Tensor, state: Tensor, graphs: list[Tensor], weights: _Weights
    ) -> Tensor:
        """Return the states ``[T, N, B, C]`` after each step of ``x [T, N, B, in]``."""
        parts = torch.cat(hops(x, graphs, self.gates.num_steps), -1)
        # The part of the weights for x serves gates and candidate in one product for all steps.
        inputs = functional.linear(parts, weights.of_input, weights.bias)
        maps = weights.gates, weights.candidate
        return gated_recurrence(inputs, state, *maps, graphs, self.gates.num_steps)


def _cells(layers: nn.ModuleList) -> Iterable[_Cell]:
    return cast("Iterable[_Cell]", layers)


def _step(
    cells: nn.ModuleList, x: Tensor, states: list[Tensor], graphs: list[Tensor]
) -> list[Tensor]:
    """Return the new states of all layers; each layer reads the new state of the one below."""
    new = []
    for cell, state in zip(cells, states, strict=True):
        x = cell(x, state, graphs)
        new.append(x)
    return new
