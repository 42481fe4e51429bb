"""Weighted means of named values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torchmetrics import MeanMetric

from geozoo.metrics.errors import ErrorMeasures


class WeightedMeans(ErrorMeasures):
    """Weighted means over all batches and devices, for losses, rates and other scalars.

    Args:
        names: names of the values.

    >>> means = WeightedMeans(["loss"])
    >>> means.update({"loss": torch.tensor([1.0, 4.0])}, {"loss": torch.tensor([2.0, 1.0])})
    >>> means.compute()["loss"].item()
    2.0
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.metrics = nn.ModuleDict(
            {name: MeanMetric(nan_strategy="error").set_dtype(torch.float64) for name in names}
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(self.metrics)

    def update(
        self, values: Mapping[str, Num[Tensor, " S"]], weights: Mapping[str, Num[Tensor, " S"]]
    ) -> None:
        """Add values under some of the names, with their weights.

        Raises:
            KeyError: If a name is unknown.
        """
        for name, value in values.items():
            self._by_name[name].update(value.detach().double(), weights[name].detach().double())

    def compute(self) -> dict[str, Tensor]:
        """The mean of every name that has received values."""
        return {
            name: metric.compute() for name, metric in self._by_name.items() if metric.update_called
        }

    def reset(self) -> None:
        """Clear the accumulated values."""
        for metric in self._by_name.values():
            metric.reset()

    @property
    def _by_name(self) -> Mapping[str, MeanMetric]:
        return cast(Mapping[str, MeanMetric], self.metrics)
