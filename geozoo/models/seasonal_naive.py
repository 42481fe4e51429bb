"""Seasonal naive baseline."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive

Period = Literal["day", "week"]


class SeasonalNaive(nn.Module):
    """Seasonal naive forecast: the value one day, or one week, before each forecast step.

    No parameters. If that value is missing or precedes the series, the last value of the window is
    used.

    Args:
        steps_per_day: time steps per day.
        period: ``"day"`` or ``"week"``.

    Attributes:
        lags: the lag in steps, requested from the dataset.

    Raises:
        ValueError: If ``period`` is unknown, or ``steps_per_day`` is below 1.
    """

    def __init__(self, steps_per_day: int, *, period: Period = "week") -> None:
        super().__init__()
        if period not in ("day", "week"):
            raise ValueError(f'period must be "day" or "week", got {period!r}')
        check_positive(steps_per_day=steps_per_day)
        self.lags = (steps_per_day * (7 if period == "week" else 1),)

    def forward(
        self,
        x: Float[Tensor, "B T N F"],
        *,
        lagged: Float[Tensor, "B L H N"],
        lagged_observed: Bool[Tensor, "B L H N"],
        time: Int[Tensor, "B T_plus_H 2"] | None = None,
    ) -> Float[Tensor, "B H N"]:
        """Return the lagged values, ``L = 1``."""
        return torch.where(lagged_observed[:, 0], lagged[:, 0], x[:, -1:, :, 0])
