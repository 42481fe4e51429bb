"""Linear baseline: autoregression of each sensor on its own window."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class PerSensorLinear(nn.Module):
    """A linear map from the lookback window to the forecast, shared by all sensors.

    Args:
        in_channels: number ``F`` of input features per sensor and step.
        input_steps: lookback window ``T``, in steps.
        horizon: forecast horizon ``H``, in steps.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(self, in_channels: int, input_steps: int, horizon: int) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, input_steps=input_steps, horizon=horizon)
        self.linear = nn.Linear(input_steps * in_channels, horizon)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast in scaled units."""
        return self.linear(x.transpose(1, 2).flatten(2)).transpose(1, 2)
