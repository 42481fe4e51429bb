"""STAEformer: transformer over time and sensors with spatial and temporal identity embeddings."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._forecast_inputs import check_windows, clock_of


class STAEformer(nn.Module):
    """Transformer layers over time, then over sensors; needs no road graph.

    A token, one per sensor and step, concatenates a linear map of the features with learned
    embeddings of the time of day, of the day of the week, and of the pair of step and sensor. A
    linear map of all tokens of a sensor is its forecast.

    Args:
        num_nodes: number N of sensors.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        steps_per_day: time steps per day.
        feature_channels: width of the linear map of the features.
        time_channels: width of the embeddings of the time of day and of the day of the week.
        adaptive_channels: width of the embedding of step and sensor.
        feedforward_channels: hidden width of the feed-forward layers.
        num_heads: attention heads; must divide the width of a token.
        num_layers: number of layers over time, and of layers over sensors.
        dropout: dropout probability.

    Raises:
        ValueError: If a size is below 1, or ``num_heads`` does not divide the width.

    Reference:
        H. Liu, Z. Dong, R. Jiang, J. Deng, J. Deng, Q. Chen, X. Song, Spatio-Temporal Adaptive
        Embedding Makes Vanilla Transformer SOTA for Traffic Forecasting, CIKM 2023,
        arXiv:2308.10425.

    >>> model = STAEformer(5, 1, 12, 12, 288, num_layers=1)
    >>> model(torch.randn(2, 12, 5, 1), time=torch.zeros(2, 24, 2, dtype=torch.long)).shape
    torch.Size([2, 12, 5])
    """

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        input_steps: int,
        horizon: int,
        steps_per_day: int,
        *,
        feature_channels: int = 24,
        time_channels: int = 24,
        adaptive_channels: int = 80,
        feedforward_channels: int = 256,
        num_heads: int = 4,
        num_layers: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_positive(
            num_nodes=num_nodes, in_channels=in_channels, input_steps=input_steps,
            horizon=horizon, steps_per_day=steps_per_day, feature_channels=feature_channels,
            time_channels=time_channels, adaptive_channels=adaptive_channels,
            num_heads=num_heads, num_layers=num_layers,
        )  # fmt: skip
        width = feature_channels + 2 * time_channels + adaptive_channels
        if width % num_heads:
            raise ValueError(f"num_heads must divide the token width ({width}), got {num_heads}")
        self.num_nodes, self.in_channels, self.input_steps = num_nodes, in_channels, input_steps
        self.embedding = nn.Linear(in_channels, feature_channels)
        self.slot = nn.Embedding(steps_per_day, time_channels)
        self.day = nn.Embedding(7, time_channels)
        self.adaptive = nn.Parameter(torch.empty(input_steps, num_nodes, adaptive_channels))
        nn.init.xavier_uniform_(self.adaptive)

        def layers() -> nn.ModuleList:
            return nn.ModuleList(
                nn.TransformerEncoderLayer(
                    width, num_heads, feedforward_channels, dropout, batch_first=True
                )
                for _ in range(num_layers)
            )

        self.along_time, self.over_sensors = layers(), layers()
        self.readout = nn.Linear(input_steps * width, horizon)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: normalised input windows.
            time: time-of-day slot and day of the week.

        Raises:
            ValueError: If ``x`` or ``time`` has the wrong shape, or ``time`` is missing.
        """
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        clock = clock_of(x, time)[:, :, None]
        shape = x.shape[:3]
        parts = [
            self.embedding(x),
            self.slot(clock[..., 0]).expand(*shape, -1),
            self.day(clock[..., 1]).expand(*shape, -1),
            self.adaptive.expand(*shape, -1),
        ]
        h = torch.cat(parts, -1).transpose(1, 2)  # [B, N, T, C]
        for layer in self.along_time:
            h = layer(h.flatten(0, 1)).view_as(h)
        h = h.transpose(1, 2).contiguous()
        for layer in self.over_sensors:
            h = layer(h.flatten(0, 1)).view_as(h)
        return self.readout(h.transpose(1, 2).flatten(2)).transpose(1, 2)
