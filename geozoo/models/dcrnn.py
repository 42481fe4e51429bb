"""Recurrent networks whose steps are random walks on the roads."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import random_walk_adjacency
from geozoo.models._forecast_inputs import check_adjacency, check_windows, with_clock
from geozoo.nn import DiffusionConv


class DCRNN(nn.Module):
    r"""An encoder and a decoder of gated recurrent units with diffusion convolutions.

    .. math::
        r, u &= \sigma(\Theta * [x_t, h_{t-1}]), \quad
        c = \tanh(\Theta_c * [x_t, r \odot h_{t-1}]), \quad
        h_t = u \odot h_{t-1} + (1 - u) \odot c

    The decoder begins with zeros and then reads its own output, in training too: the published
    training shows it the truth now and then at first (scheduled sampling), which this network, that
    is not given any, does without.

    Args:
        road_adjacency: weights of the roads ``[N, N]``, the one from i to j at ``[i, j]``.
        in_channels: features F of each sensor and step.
        input_steps: steps T of a window.
        horizon: steps H of the forecast.
        steps_per_day: steps of a day.
        hidden_channels: width of the states.
        num_layers: recurrent layers of encoder and decoder each.
        num_steps: steps of the random walks.
        use_time: the time of the day as one more feature.

    Raises:
        TypeError: for roads that are not a tensor of floating-point numbers.
        ValueError: for roads that are not square, finite and non-negative, or sizes below 1.

    Reference:
        Y. Li, R. Yu, C. Shahabi, Y. Liu, Diffusion Convolutional Recurrent Neural Network:
        Data-Driven Traffic Forecasting, ICLR 2018, arXiv:1707.01926.

    >>> model = DCRNN(torch.ones(5, 5), 1, 12, 12, 288, use_time=False)
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
            x: features of each window, step and sensor, normalised.
            time: slot of the day and day of the week; read with ``use_time``.

        Raises:
            ValueError: for another shape, or a time that is needed and missing.
        """
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        if self.use_time:
            x = with_clock(x, time, self.steps_per_day)
        graphs = [self.walk, self.walk_back]
        zero = x.new_zeros(x.shape[0], self.num_nodes, self.hidden_channels)
        states = [zero] * len(self.encoder)
        for step in x.unbind(1):
            states = _step(self.encoder, step, states, graphs)
        seen, forecast = zero[..., :1], []
        for _ in range(self.horizon):
            states = _step(self.decoder, seen, states, graphs)
            seen = self.readout(states[-1])
            forecast.append(seen.squeeze(-1))
        return torch.stack(forecast, 1)


class _Cell(nn.Module):
    """A gated recurrent unit with diffusion convolutions for its linear maps."""

    def __init__(self, in_channels: int, channels: int, num_steps: int) -> None:
        super().__init__()
        width = in_channels + channels
        self.gates = DiffusionConv(width, 2 * channels, num_graphs=2, num_steps=num_steps)
        self.candidate = DiffusionConv(width, channels, num_graphs=2, num_steps=num_steps)
        nn.init.ones_(self.gates.linear.bias)  # states are kept at first

    def forward(self, x: Tensor, h: Tensor, graphs: list[Tensor]) -> Tensor:
        reset, update = torch.sigmoid(self.gates(torch.cat([x, h], -1), graphs)).chunk(2, -1)
        new = torch.tanh(self.candidate(torch.cat([x, reset * h], -1), graphs))
        return update * h + (1 - update) * new


def _step(
    cells: nn.ModuleList, x: Tensor, states: list[Tensor], graphs: list[Tensor]
) -> list[Tensor]:
    """The new state of every layer, each of which reads that of the one below."""
    new = []
    for cell, state in zip(cells, states, strict=True):
        x = cell(x, state, graphs)
        new.append(x)
    return new
