"""Errors of several predicted quantities at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric

#: Measures over all entries of a quantity, vector components one by one.
MEASURES: Mapping[str, Callable[[], Metric]] = {
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "rmse": partial(MeanSquaredError, squared=False),
}


class ErrorMeasures(nn.Module, ABC):
    """Errors by name, collected over batches: what a task needs of its metrics.

    Sums stay float64 whatever is done to the precision of a module around them.
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the measures, ``<quantity>_<measure>``."""

    @abstractmethod
    def update(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Add a batch of quantities by name, in physical units."""

    @abstractmethod
    def compute(self) -> dict[str, Tensor]:
        """The value of every measure over all batches and devices."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ErrorMeasures:
        """Move to a device, but keep every dtype: ``Module.to(dtype)`` would round the sums."""
        super()._apply(device_only(fn), recurse)
        for module in self.modules():
            if isinstance(module, Metric):
                module.set_dtype(torch.float64)
        return self


def device_only(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What a function of ``nn.Module._apply`` does to devices, without a change of the dtype."""

    def moved(tensor: Tensor) -> Tensor:
        changed = function(tensor)
        return changed if changed.dtype == tensor.dtype else tensor.to(changed.device)

    return moved


def check_shapes(quantity: str, predicted: Tensor, target: Tensor) -> None:
    """Raise ValueError, naming the quantity, when two shapes differ."""
    if predicted.shape != target.shape:
        raise ValueError(
            f"{quantity}: the prediction has shape {tuple(predicted.shape)}, "
            f"the target {tuple(target.shape)}"
        )


class ErrorMetrics(ErrorMeasures):
    r"""Measures of several quantities, such as the mean absolute error of energy and force.

    The states are sums and counts in float64 that torchmetrics adds up over devices, so neither
    the batch size nor the number of devices changes a result (a root is taken at the end:
    :math:`\text{RMSE} = \sqrt{\sum (\hat y - y)^2 / n}`, never a mean over batches).

    Args:
        measures: for each quantity the names of its measures, of ``MEASURES``.

    Raises:
        ValueError: for a measure that is not known.

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
                    raise ValueError(f"measures must be of {tuple(MEASURES)}, got {measure!r}")
                metric = MEASURES[measure]()
                self.metrics[f"{quantity}_{measure}"] = metric.set_dtype(torch.float64)

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
            targets: tensors of the same names and shapes.

        Raises:
            ValueError: when shapes differ.
        """
        for quantity, chosen in self.quantities.items():
            predicted, target = predictions[quantity], targets[quantity]
            check_shapes(quantity, predicted, target)
            for measure in chosen:
                metric = self.metrics[f"{quantity}_{measure}"]
                metric.update(predicted.detach().double(), target.detach().double())

    def compute(self) -> dict[str, Tensor]:
        """The value of every ``<quantity>_<measure>`` over all batches and devices."""
        return {name: metric.compute() for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forget all batches."""
        for metric in self.metrics.values():
            metric.reset()
