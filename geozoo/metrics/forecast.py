"""Forecast errors with missing values, overall and per horizon step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from geozoo.metrics.errors import ErrorMeasures, check_shapes

Mask = Literal["observed", "nonzero"]
Aggregation = Literal["global", "batch"]
#: Measures of a forecast.
FORECAST_MEASURES = ("mae", "rmse", "mape", "wmape")


class ForecastErrors(ErrorMeasures):
    r"""MAE, RMSE, MAPE and wMAPE of a forecast ``[B, H, N]``, over all steps and at selected steps.

    Missing targets are NaN and are ignored. Sums and counts per horizon step are accumulated in
    float64 and reduced over devices, so results do not depend on the batch size or the number of
    devices:

    .. math:: \text{MAE} = \tfrac{1}{n}\sum |\hat y - y|,\quad
        \text{RMSE} = \sqrt{\tfrac{1}{n}\sum (\hat y - y)^2},\quad
        \text{MAPE} = \tfrac{100}{n'}\sum |\hat y - y| / |y|,\quad
        \text{wMAPE} = 100 \sum |\hat y - y| / \sum |y| .

    Args:
        quantity: name of the forecast quantity, such as ``"flow"``; measures are ``flow_mae`` over
            all steps and ``flow_mae_15min`` at a single step.
        horizon: number of steps ``H``.
        steps: steps reported individually, counted from 1, with their labels: ``{3: "15min"}``.
        masks: the entries that count for ``"mae"``, ``"rmse"`` and ``"mape"``: all ``"observed"``
            entries, or ``"nonzero"`` ones, which are observed and not 0. MAPE requires
            ``"nonzero"`` to avoid division by 0.
        aggregation: ``"global"``; or ``"batch"``, the mean of the values of the batches, as in
            some published code: then results depend on the batch size.

    Raises:
        ValueError: If a step lies outside the horizon, or a mask or aggregation is unknown.

    >>> errors = ForecastErrors("flow", 2, {2: "10min"})
    >>> nan = float("nan")
    >>> errors.update({"flow": torch.tensor([[[1.0, 2.0], [3.0, 9.0]]])},
    ...               {"flow": torch.tensor([[[2.0, 2.0], [6.0, nan]]])})
    >>> {name: round(value.item(), 2) for name, value in errors.compute().items() if "mae" in name}
    {'flow_mae': 1.33, 'flow_mae_10min': 3.0}
    """

    def __init__(
        self,
        quantity: str,
        horizon: int,
        steps: Mapping[int, str],
        *,
        masks: Mapping[str, Mask] | None = None,
        aggregation: Aggregation = "global",
    ) -> None:
        super().__init__()
        outside = [step for step in steps if not 1 <= step <= horizon]
        if outside:
            raise ValueError(f"steps must be in 1..{horizon}, got {outside}")
        if aggregation not in ("global", "batch"):
            raise ValueError(f'aggregation must be "global" or "batch", got {aggregation!r}')
        self.quantity, self.steps, self.aggregation = quantity, dict(steps), aggregation
        self.sums = _Sums(horizon, _checked_masks(masks or {}))
        self.batch_sums = _Sums(horizon, self.sums.masks)
        self.batch_means = _Means(len(self.names))

    @property
    def names(self) -> tuple[str, ...]:
        """``flow_mae``, ..., ``flow_mae_15min``, ...; the first selects the best checkpoint."""
        suffixes = ["", *(f"_{label}" for label in self.steps.values())]
        return tuple(
            f"{self.quantity}_{m}{suffix}" for suffix in suffixes for m in FORECAST_MEASURES
        )

    def update(
        self,
        predictions: Mapping[str, Float[Tensor, "B H N"]],
        targets: Mapping[str, Float[Tensor, "B H N"]],
    ) -> None:
        """Add a batch.

        Args:
            predictions: the forecast under the name of the quantity, in physical units.
            targets: the ground truth under the same name; NaN where missing.

        Raises:
            ValueError: If shapes differ.
        """
        predicted, target = predictions[self.quantity].detach(), targets[self.quantity].detach()
        check_shapes(self.quantity, predicted, target)
        if self.aggregation == "global":
            self.sums.update(predicted, target)
            return
        self.batch_sums.reset()
        self.batch_sums.update(predicted, target)
        self.batch_means.update(torch.stack(self._values(self.batch_sums)))

    def compute(self) -> dict[str, Tensor]:
        """The value of every measure; MAPE and wMAPE in per cent."""
        if self.aggregation == "global":
            values = self._values(self.sums)
        else:
            values = list(self.batch_means.compute().unbind())
        return dict(zip(self.names, values, strict=True))

    def reset(self) -> None:
        """Clear the accumulated batches."""
        for metric in (self.sums, self.batch_sums, self.batch_means):
            metric.reset()

    def _values(self, sums: _Sums) -> list[Tensor]:
        overall, per_step = sums.measures(slice(None)), sums.measures(None)
        parts = [overall, *({m: v[step - 1] for m, v in per_step.items()} for step in self.steps)]
        return [part[measure] for part in parts for measure in FORECAST_MEASURES]


class _Sums(Metric):
    """Sums and counts per horizon step."""

    truth: Tensor
    full_state_update = False
    _NAMES = ("absolute", "absolute_n", "square", "square_n", "relative", "relative_n", "truth")

    def __init__(self, horizon: int, masks: Mapping[str, Mask]) -> None:
        super().__init__()
        self.masks = dict(masks)
        for name in self._NAMES:
            zeros = torch.zeros(horizon, dtype=torch.float64)
            self.add_state(name, zeros, dist_reduce_fx="sum")
        self.set_dtype(torch.float64)

    def update(self, predicted: Tensor, target: Tensor) -> None:
        observed = ~target.isnan()
        counted = {"observed": observed, "nonzero": observed & (target != 0)}
        target = target.double().nan_to_num(0.0)
        tiny = torch.finfo(target.dtype).tiny
        error = predicted.double() - target
        for name, measure, value in (
            ("absolute", "mae", error.abs()),
            ("square", "rmse", error.square()),
            ("relative", "mape", error.abs() / target.abs().clamp_min(tiny)),
        ):
            mask = counted[self.masks[measure]]
            kept = torch.where(mask, value, value.new_zeros(()))
            setattr(self, name, getattr(self, name) + kept.sum((0, 2)))
            setattr(self, f"{name}_n", getattr(self, f"{name}_n") + mask.sum((0, 2)))
        mask = counted[self.masks["mae"]]
        self.truth = self.truth + (target.abs() * mask).sum((0, 2))

    def measures(self, steps: slice | None) -> dict[str, Tensor]:
        """The measures over a slice of steps, or of each step with None."""

        def total(name: str) -> Tensor:
            state = getattr(self, name)
            return state if steps is None else state[steps].sum()

        return {
            "mae": total("absolute") / total("absolute_n"),
            "rmse": (total("square") / total("square_n")).sqrt(),
            "mape": 100.0 * total("relative") / total("relative_n"),
            "wmape": 100.0 * total("absolute") / total("truth"),
        }

    def compute(self) -> dict[str, Tensor]:
        return self.measures(None)


class _Means(Metric):
    """The mean over batches of several values."""

    total: Tensor
    count: Tensor
    full_state_update = False

    def __init__(self, size: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
        self.set_dtype(torch.float64)

    def update(self, values: Tensor) -> None:
        known = ~values.isnan()  # a batch without any target at a step has no value there
        self.total = self.total + torch.where(known, values, values.new_zeros(()))
        self.count = self.count + known

    def compute(self) -> Tensor:
        return self.total / self.count


def _checked_masks(masks: Mapping[str, Mask]) -> dict[str, Mask]:
    rules: dict[str, Mask] = {"mae": "observed", "rmse": "observed", "mape": "nonzero", **masks}
    unknown = set(rules) - {"mae", "rmse", "mape"} or set(rules.values()) - {"observed", "nonzero"}
    if unknown or rules["mape"] != "nonzero":
        raise ValueError(
            f'masks: mae and rmse must be "observed" or "nonzero", mape "nonzero", got {rules}'
        )
    return rules
