"""Historical average baseline."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class HistoricalAverage(nn.Module):
    """Mean of each sensor over the training split, by time-of-day slot and day of the week.

    No trained parameters: :meth:`fit` fills a table, which is a buffer. The error does not grow
    with the horizon. A weekly slot without training data falls back to the daily slot, and that to
    the mean of the sensor.

    Args:
        num_nodes: number ``N`` of sensors.
        steps_per_day: time steps per day.
        horizon: forecast horizon ``H``, in steps.
        by: ``"week"`` distinguishes days of the week, ``"day"`` does not.

    Raises:
        ValueError: If a size is below 1, or ``by`` is unknown.
    """

    week: Tensor

    def __init__(
        self, num_nodes: int, steps_per_day: int, horizon: int, *, by: str = "week"
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, steps_per_day=steps_per_day, horizon=horizon)
        if by not in ("week", "day"):
            raise ValueError(f'by must be "week" or "day", got {by!r}')
        self.horizon, self.by = horizon, by
        self.register_buffer("week", torch.zeros(7, steps_per_day, num_nodes))

    @torch.no_grad()
    def fit(
        self,
        targets: Float[Tensor, "S N"],
        *,
        observed: Bool[Tensor, "S N"],
        time: Int[Tensor, "S 2"],
    ) -> None:
        """Fill the table from a scaled series, its mask of observed entries and its time."""
        mask = observed.to(targets.dtype)
        shape = (7, *self.week.shape[1:])
        slot = time[:, 1] * shape[1] + time[:, 0]
        sums = targets.new_zeros(shape).flatten(0, 1).index_add(0, slot, targets * mask).view(shape)
        counts = targets.new_zeros(shape).flatten(0, 1).index_add(0, slot, mask).view(shape)
        mean = (sums.sum((0, 1)) / counts.sum((0, 1)).clamp_min(1)).expand(shape)
        day_sums, day_counts = sums.sum(0).expand(shape), counts.sum(0).expand(shape)
        day = torch.where(day_counts > 0, day_sums / day_counts.clamp_min(1), mean)
        week = torch.where(counts > 0, sums / counts.clamp_min(1), day)
        self.week.copy_(week if self.by == "week" else day)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"]
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast, looked up by the time of each forecast step."""
        ahead = time[:, -self.horizon :]
        return self.week[ahead[..., 1], ahead[..., 0]].to(x.dtype)
