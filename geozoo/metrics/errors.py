"""Error measures for several predicted quantities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, SumMetric

#: Measures over all entries of a quantity; components of vectors count separately.
MEASURES: Mapping[str, Callable[[], Metric]] = {
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "rmse": partial(MeanSquaredError, squared=False),
}


class ErrorMeasures(nn.Module, ABC):
    """Interface of the metrics of a task: errors by name, accumulated over batches.

    Sums stay float64, even if the precision of an enclosing module changes.
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the measures, ``<quantity>_<measure>``."""

    @abstractmethod
    def update(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Add a batch of predictions and targets by quantity, in physical units."""

    @abstractmethod
    def compute(self) -> dict[str, Tensor]:
        """The value of every measure over all batches and devices."""

    @abstractmethod
    def reset(self) -> None:
        """Clear the accumulated batches."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ErrorMeasures:
        """Move to a device but keep every dtype: ``Module.to(dtype)`` would round the sums."""
        super()._apply(device_only(fn), recurse)
        for module in self.modules():
            if isinstance(module, Metric):
                module.set_dtype(torch.float64)
        return self


def device_only(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Wrap a function of ``nn.Module._apply`` so that it changes the device but not the dtype."""

    def moved(tensor: Tensor) -> Tensor:
        changed = function(tensor)
        return changed if changed.dtype == tensor.dtype else tensor.to(changed.device)

    return moved


def check_shapes(quantity: str, predicted: Tensor, target: Tensor) -> None:
    """Raise a ValueError that names the quantity if prediction and target differ in shape."""
    if predicted.shape != target.shape:
        raise ValueError(
            f"{quantity}: prediction and target must have the same shape, got "
            f"{tuple(predicted.shape)} and {tuple(target.shape)}"
        )


class ErrorMetrics(ErrorMeasures):
    r"""Measures of several quantities, such as the mean absolute error of energies and forces.

    The states are float64 sums and counts that torchmetrics reduces over devices, so results do
    not depend on the batch size or the number of devices. Roots are taken at the end:
    :math:`\text{RMSE} = \sqrt{\sum (\hat y - y)^2 / n}`, never a mean over batches.

    Args:
        measures: the names of the measures of each quantity, from ``MEASURES``.

    Raises:
        ValueError: If a measure is unknown.

    >>> errors = ErrorMetrics({"energy": ["mae", "rmse"]})
    >>> errors.update({"energy": torch.tensor([1.0, 2.0])}, {"energy": torch.tensor([1.0, 4.0])})
    >>> {name: round(value.item(), 3) for name, value in errors.compute().items()}
    {'energy_mae': 1.0, 'energy_rmse': 1.414}
    """

    def __init__(self, measures: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.quantities = {name: tuple(chosen) for name, chosen in measures.items()}
        self.metrics = nn.ModuleDict()
        for quantity, chosen in self.quantities.items():
            for measure in chosen:
                if measure not in MEASURES:
                    raise ValueError(
                        f"measures of {quantity} must be among {', '.join(MEASURES)}, "
                        f"got {measure!r}"
                    )
                metric = MEASURES[measure]()
                self.metrics[f"{quantity}_{measure}"] = metric.set_dtype(torch.float64)
        self.counts = nn.ModuleDict(
            {name: SumMetric().set_dtype(torch.float64) for name in self.quantities}
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures, ``<quantity>_<measure>``."""
        return tuple(self.metrics)

    def update(
        self,
        predictions: Mapping[str, Num[Tensor, "*shape"]],
        targets: Mapping[str, Num[Tensor, "*shape"]],
    ) -> None:
        """Add a batch.

        Args:
            predictions: one tensor per quantity, in physical units.
            targets: tensors with the same names and shapes; NaN where a target is missing.

        Raises:
            ValueError: If shapes differ.
        """
        for quantity, chosen in self.quantities.items():
            predicted, target = predictions[quantity], targets[quantity]
            check_shapes(quantity, predicted, target)
            missing = target.isnan()
            if bool(missing.any()):
                predicted, target = predicted[~missing], target[~missing]
            self._counts[quantity].update(target.numel())
            for measure in chosen:
                metric = self._by_name[f"{quantity}_{measure}"]
                metric.update(predicted.detach().double(), target.detach().double())

    def compute(self) -> dict[str, Tensor]:
        """The value of every ``<quantity>_<measure>`` that has targets, over all devices."""
        none = {
            name
            for name, count in self._counts.items()
            if count.update_called and not bool(count.compute())
        }
        return {
            f"{quantity}_{measure}": self._by_name[f"{quantity}_{measure}"].compute()
            for quantity, chosen in self.quantities.items()
            if quantity not in none
            for measure in chosen
        }

    def reset(self) -> None:
        """Clear the accumulated batches."""
        for metric in (*self._by_name.values(), *self._counts.values()):
            metric.reset()

    @property
    def _counts(self) -> Mapping[str, Metric]:
        return cast(Mapping[str, Metric], self.counts)

    @property
    def _by_name(self) -> Mapping[str, Metric]:
        return cast(Mapping[str, Metric], self.metrics)
