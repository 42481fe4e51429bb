"""STID: a per-sensor MLP with spatial and temporal identity embeddings."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._forecast_inputs import clock_of


class Stid(nn.Module):
    r"""Residual MLP of each sensor's window with spatial and temporal identity embeddings.

    :math:`h = [W x_{1..T} + b,\; s_n,\; d_{\text{slot}},\; w_{\text{day}}]`, then
    ``num_layers`` times :math:`h \leftarrow h + W_2\,\text{dropout}(\text{ReLU}(W_1 h))` and a
    linear map to the horizon. Sensors do not interact: a baseline for the benefit of a graph. The
    temporal embeddings are those of the last step of the window.

    Args:
        num_nodes: number ``N`` of sensors.
        in_channels: number ``F`` of input features per sensor and step.
        input_steps: lookback window ``T``, in steps.
        horizon: forecast horizon ``H``, in steps.
        steps_per_day: time steps per day.
        hidden_channels: width of each embedding.
        num_layers: number of residual layers.
        dropout: dropout probability in the residual layers.
        use_sensor: use the spatial identity embedding.
        use_time: use the temporal identity embeddings.

    Raises:
        ValueError: If a size is below 1; in ``forward`` if ``x`` has another number of sensors or
            steps, or ``time`` is missing.

    Reference:
        Z. Shao, Z. Zhang, F. Wang, W. Wei, Y. Xu, "Spatial-Temporal Identity: A Simple yet
        Effective Baseline for Multivariate Time Series Forecasting", CIKM 2022 (arXiv 2208.05233),
        section 3. Written from the paper's equations.
    """

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        input_steps: int,
        horizon: int,
        steps_per_day: int,
        *,
        hidden_channels: int = 32,
        num_layers: int = 3,
        dropout: float = 0.15,
        use_sensor: bool = True,
        use_time: bool = True,
    ) -> None:
        super().__init__()
        check_positive(
            num_nodes=num_nodes, in_channels=in_channels, input_steps=input_steps,
            horizon=horizon, steps_per_day=steps_per_day, hidden_channels=hidden_channels,
            num_layers=num_layers,
        )  # fmt: skip
        self.num_nodes, self.input_steps, self.use_time = num_nodes, input_steps, use_time
        self.embedding = nn.Linear(input_steps * in_channels, hidden_channels)
        self.sensor = nn.Embedding(num_nodes, hidden_channels) if use_sensor else None
        self.slot = nn.Embedding(steps_per_day, hidden_channels) if use_time else None
        self.day = nn.Embedding(7, hidden_channels) if use_time else None
        for table in (self.sensor, self.slot, self.day):
            if table is not None:
                nn.init.xavier_uniform_(table.weight)
        width = hidden_channels * (1 + int(use_sensor) + 2 * int(use_time))
        self.layers = nn.ModuleList(_Residual(width, dropout) for _ in range(num_layers))
        self.readout = nn.Linear(width, horizon)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast in scaled units."""
        if tuple(x.shape[1:3]) != (self.input_steps, self.num_nodes):
            raise ValueError(
                f"x must have {self.input_steps} steps of {self.num_nodes} sensors, got shape "
                f"{tuple(x.shape)}"
            )
        parts = [self.embedding(x.transpose(1, 2).flatten(2))]
        shape = parts[0].shape
        if self.sensor is not None:
            parts.append(self.sensor.weight.expand(shape))
        if self.slot is not None and self.day is not None:
            now = clock_of(x, time)[:, -1]
            parts.append(self.slot(now[:, 0])[:, None].expand(shape))
            parts.append(self.day(now[:, 1])[:, None].expand(shape))
        hidden = torch.cat(parts, -1)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.readout(hidden).transpose(1, 2)


class _Residual(nn.Module):
    """Residual block: two linear maps with ReLU and dropout in between."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, width)
        self.linear_2 = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.linear_2(self.dropout(torch.relu(self.linear_1(hidden))))
