"""The forecast by the time of the week alone."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class HistoricalAverage(nn.Module):
    """Mean of every sensor over the training part, by slot of the day and kind of day.

    Without trained parameters; :meth:`fit` fills a table, which is a buffer. Its error does not
    grow with the horizon. A slot of the week that the training part never shows falls back to the
    slot of the day, and that to the sensor's mean.

    Args:
        num_nodes: sensors ``N``.
        steps_per_day: slots of a day.
        horizon: steps ahead, ``H``.
        by: ``"week"`` tells the days of the week apart, ``"day"`` does not.

    Raises:
        ValueError: for a size below 1 or another word.
    """

    week: Tensor

    def __init__(
        self, num_nodes: int, steps_per_day: int, horizon: int, *, by: str = "week"
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, steps_per_day=steps_per_day, horizon=horizon)
        if by not in ("week", "day"):
            raise ValueError(f"by must be week or day, got {by!r}")
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
        """Fill the table from a scaled series, its missing entries and its clock."""
        seen = observed.to(targets.dtype)
        shape = (7, *self.week.shape[1:])
        slot = time[:, 1] * shape[1] + time[:, 0]
        sums = targets.new_zeros(shape).flatten(0, 1).index_add(0, slot, targets * seen).view(shape)
        counts = targets.new_zeros(shape).flatten(0, 1).index_add(0, slot, seen).view(shape)
        mean = (sums.sum((0, 1)) / counts.sum((0, 1)).clamp_min(1)).expand(shape)
        day_sums, day_counts = sums.sum(0).expand(shape), counts.sum(0).expand(shape)
        day = torch.where(day_counts > 0, day_sums / day_counts.clamp_min(1), mean)
        week = torch.where(counts > 0, sums / counts.clamp_min(1), day)
        self.week.copy_(week if self.by == "week" else day)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"]
    ) -> Float[Tensor, "B H N"]:
        """Look the steps ahead up."""
        ahead = time[:, -self.horizon :]
        return self.week[ahead[..., 1], ahead[..., 0]].to(x.dtype)
