"""Probabilistic forecasting with quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.contracts import Fitted, measure_of
from geozoo.data import DataSpec, ForecastSpec, WindowBatch
from geozoo.metrics import QUANTILES, QuantileErrors, pinball
from geozoo.tasks.forecasting import Forecasting

_LEVELS = (0.1, 0.5, 0.9)


class QuantileForecasting(Forecasting):
    r"""Several quantiles of the target feature over the next ``horizon`` steps.

    Any forecaster can be used: it is built with ``horizon`` times the number of quantiles outputs
    :math:`r`. One output is the median; the other quantiles add or subtract positive increments,

    .. math:: q_{k+1} = q_k + \mathrm{softplus}(r_{k+1}), \qquad
        q_{k-1} = q_k - \mathrm{softplus}(r_{k-1}),

    so quantiles never cross. The loss is the mean pinball loss over quantile levels and unmasked
    entries. In addition to the errors of the median, metrics include the coverage and width of the
    outermost interval and the pinball loss.

    Args:
        model: a network of the forecasting family with ``horizon`` :math:`\cdot` Q outputs.
        spec: the data specification.
        quantiles: increasing levels in (0, 1), including 0.5.
        options: keyword arguments of `Forecasting` except ``loss``.

    Raises:
        ValueError: If ``quantiles`` are other levels, or the model is fitted in closed form.
    """

    fits_models: ClassVar[bool] = False
    test_errors: QuantileErrors

    def __init__(
        self, model: nn.Module, spec: ForecastSpec, *, quantiles: Sequence[float] = _LEVELS,
        **options: Any,
    ) -> None:  # fmt: skip
        self.levels = checked_levels(quantiles)
        if isinstance(model, Fitted):
            raise ValueError(
                "quantile forecasting needs a model trained by gradient descent, got the fitted "
                f"model {type(model).__name__}"
            )
        super().__init__(model, spec, **options)
        mask = spec.record.rules["masks"]["mae"]
        for name in ("val_errors", "test_errors", "baseline_errors"):
            setattr(self, name, QuantileErrors(getattr(self, name), self.levels, mask=mask))

    @staticmethod
    def model_arguments(spec: DataSpec, node: Mapping[str, Any]) -> dict[str, Any]:
        """The model arguments of the data, with one output per quantile and step."""
        arguments = spec.model_arguments()
        levels = checked_levels(node.get("quantiles", _LEVELS))
        return {**arguments, "horizon": arguments["horizon"] * len(levels)}

    def forward(self, batch: WindowBatch) -> Float[Tensor, "B H N"]:
        """The median forecast in normalised units."""
        return self.scaled_quantiles(batch)[:, self.levels.index(0.5)]

    def scaled_quantiles(self, batch: WindowBatch) -> Float[Tensor, "B Q H N"]:
        """All quantiles in normalised units, in increasing order.

        Raises:
            ValueError: If the model has another number of outputs.
        """
        outputs = self.network(**self.inputs(batch))
        horizon, count = self.spec.horizon, len(self.levels)
        if outputs.shape[1] != horizon * count:
            raise ValueError(
                f"model must have horizon={horizon * count} outputs for {horizon} steps of {count} "
                f"quantiles, got {outputs.shape[1]}"
            )
        raw = outputs.unflatten(1, (count, horizon))
        middle = self.levels.index(0.5)
        median = raw[:, middle : middle + 1]
        up = median + functional.softplus(raw[:, middle + 1 :]).cumsum(1)
        down = functional.softplus(raw[:, :middle]).flip(1).cumsum(1).flip(1)
        return torch.cat([median - down, median, up], 1)

    def loss(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The mean pinball loss over unmasked entries."""
        quantiles, target = self.scaled_quantiles(batch), batch.y.to(self.scale.dtype)
        if self.loss_scale == "physical":
            quantiles = self._physical_quantiles(quantiles, batch)
        else:
            target = (target - self._shift(batch)) / self._scale(batch)
        each = pinball(quantiles, target.to(quantiles.dtype), self.levels)
        return {"loss": self._counted_mean(each, batch)}

    def predict(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The median ``[B, H, N]``, and all quantiles ``[B, Q, H, N]`` as ``..._quantiles``."""
        quantiles = self._physical_quantiles(self.scaled_quantiles(batch).detach(), batch)
        name = self.spec.target
        return {name: quantiles[:, self.levels.index(0.5)], f"{name}{QUANTILES}": quantiles}

    def predict_baseline(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The persistence baseline: all quantiles equal the last observed value."""
        last = super().predict_baseline(batch)[self.spec.target]
        same = last.unsqueeze(1).expand(-1, len(self.levels), -1, -1)
        return {self.spec.target: last, f"{self.spec.target}{QUANTILES}": same}

    def metric_units(self) -> dict[str, str]:
        """Per cent for the coverage, the unit of the data for the width and the pinball loss."""
        unit = self.spec.units.get("y", "")
        own = {name: measure_of(name).unit_of(unit) for name in self.test_errors.own}
        return {**super().metric_units(), **own}

    def quantity_units(self) -> dict[str, str]:
        """Unit of the median and of the quantiles."""
        units = super().quantity_units()
        return {**units, f"{self.spec.target}{QUANTILES}": units[self.spec.target]}

    def _physical_quantiles(self, quantiles: Tensor, batch: WindowBatch) -> Tensor:
        count = len(self.levels)
        flat = self._physical(quantiles.flatten(1, 2), batch)
        return flat.unflatten(1, (count, -1))


def checked_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """The quantile levels as a tuple.

    Raises:
        ValueError: If there are fewer than two, they do not increase strictly within (0, 1), or
            0.5 is missing.
    """
    levels = tuple(float(level) for level in quantiles)
    rising = all(a < b for a, b in zip(levels, levels[1:], strict=False))
    if len(levels) < 2 or not rising or levels[0] <= 0 or levels[-1] >= 1 or 0.5 not in levels:
        raise ValueError(
            "quantiles must be at least two increasing levels within (0, 1), including 0.5, got "
            f"{list(quantiles)}"
        )
    return levels
