"""Errors and forecasts that a test collects for figures."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


class ForecastSample:
    """Errors per sensor and step, and all forecasts at the first and last step of the horizon.

    Args:
        horizon: number of steps ``H`` of a forecast.
        num_nodes: number of sensors ``N``.
    """

    def __init__(self, horizon: int, num_nodes: int) -> None:
        self.horizon = horizon
        self._absolute, self._square, self._count = torch.zeros(
            3, horizon, num_nodes, dtype=torch.float64
        )
        self._series: list[Tensor] = []
        self._index: list[Tensor] = []

    def add(
        self,
        forecast: Float[Tensor, "B H N"],
        target: Float[Tensor, "B H N"],
        index: Int[Tensor, " B"] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            forecast: predicted values.
            target: ground truth; NaN where it is missing.
            index: first step of each window; None: consecutive windows.
        """
        known = ~target.isnan()
        error = torch.where(known, forecast - target, forecast.new_zeros(())).double()
        self._absolute = self._absolute + error.abs().sum(0).cpu()
        self._square = self._square + error.square().sum(0).cpu()
        self._count = self._count + known.sum(0).cpu()
        ends = [0, self.horizon - 1]
        pairs = torch.stack([forecast[:, ends], target[:, ends].to(forecast.dtype)], 1)
        self._series.append(pairs.float().cpu())
        first = sum(len(each) for each in self._index)
        follows = torch.arange(first, first + len(pairs))
        self._index.append(follows if index is None else index.long().cpu())

    def by_step(self) -> dict[str, Tensor]:
        """``mae`` and ``rmse`` at each step of the horizon ``[H]``."""
        count = self._count.sum(-1)
        return {
            "mae": self._absolute.sum(-1) / count,
            "rmse": (self._square.sum(-1) / count).sqrt(),
        }

    def mae_by_sensor(self) -> Float[Tensor, " N"]:
        """Mean absolute error of each sensor over all steps; NaN if it was never observed."""
        return self._absolute.sum(0) / self._count.sum(0)

    def series(self) -> Float[Tensor, "W 2 2 N"]:
        """Forecast and target (second axis) of all windows at the first and last step (third axis).

        Rows are steps of the series; windows that were not tested are NaN.
        """
        pairs, index = torch.cat(self._series), torch.cat(self._index)
        rows = index - index.min()
        series = pairs.new_full((int(rows.max()) + 1, *pairs.shape[1:]), torch.nan)
        series[rows] = pairs
        return series
