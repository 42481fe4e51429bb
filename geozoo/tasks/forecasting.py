"""Multi-step forecasting of time series on the sensors of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.contracts import Fitted
from geozoo.data import ForecastSpec, SeriesStore, Traffic, WindowBatch
from geozoo.data.loader import Store
from geozoo.figures import Figure, plot_windows
from geozoo.metrics import ForecastErrors
from geozoo.metrics.forecast import FORECAST_MEASURES
from geozoo.tasks._description import Outcome
from geozoo.tasks._forecast_figures import forecast_figures
from geozoo.tasks._forecast_sample import ForecastSample
from geozoo.tasks._precision import model_dtype
from geozoo.tasks._quantity import Quantity
from geozoo.tasks.base import GraphTask, MakeOptimizer, MakeSchedule

Loss = Literal["mae", "smooth_l1", "mse"]
Scale = Literal["physical", "scaled"]
_LOSSES = {
    "mae": functional.l1_loss, "smooth_l1": functional.smooth_l1_loss, "mse": functional.mse_loss,
}  # fmt: skip


class Forecasting(GraphTask):
    r"""Forecasting of the target feature of all sensors over the next ``horizon`` steps.

    Inputs are normalised per feature, :math:`(x - \mu) / \sigma`, with missing entries set to 0
    (the mean); outputs are transformed back with :math:`\mu, \sigma` of the target. Both are
    buffers with one row per split; the rows are equal unless the protocol normalises each split
    separately. Missing targets are masked in loss and metrics. The baseline of a test is
    persistence, the last observed value.

    Args:
        model: a network of the forecasting family, ``model(x, time=...)`` with ``x [B, T, N, F]``
            and ``time [B, T + H, 2]`` (time of day, day of week) -> ``[B, H, N]``. A model with an
            attribute ``lags`` also gets ``lagged [B, L, H, N]``, normalised as the target, and
            ``lagged_observed``. A `geozoo.contracts.Fitted` model is fitted to the training split.
        spec: the data specification.
        loss: ``"mae"``, ``"smooth_l1"`` (beta 1) or ``"mse"``.
        loss_scale: compute the loss on ``"physical"`` or on normalised (``"scaled"``) values.
        loss_mask: entries included in the loss: all ``"observed"`` ones, or only those that are
            also ``"nonzero"``.
        fill: imputation of missing inputs: the ``"mean"``, or the ``"last"`` observed value in the
            window (the mean if there is none).
        optimizer: see `GraphTask`, as for the remaining arguments.
        schedule: see `GraphTask`.
        monitor: see `GraphTask`.
        seed: see `GraphTask`.

    Attributes:
        sample: forecasts of the last test for figures.

    Raises:
        ValueError: If the data belong to another family, or an option has an unknown value.
    """

    #: `geozoo.config.check_pair` checks these attributes against the model before reading data.
    family: ClassVar[str] = "forecasting"
    fits_models: ClassVar[bool] = True
    spec: ForecastSpec
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        model: nn.Module,
        spec: ForecastSpec,
        *,
        loss: Loss = "mae",
        loss_scale: Scale = "physical",
        loss_mask: Literal["observed", "nonzero"] = "observed",
        fill: Literal["mean", "last"] = "mean",
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        if spec.family != "forecasting":
            raise ValueError(f"task forecasting needs forecasting data, got {spec.family} data")
        for name, value, allowed in (
            ("loss", loss, get_args(Loss)),
            ("loss_scale", loss_scale, get_args(Scale)),
            ("loss_mask", loss_mask, ("observed", "nonzero")),
            ("fill", fill, ("mean", "last")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
        rules = spec.record.rules
        steps = reported_steps(rules["reported_minutes"], spec)
        suffixes = ["", *(f"_{label}" for label in steps.values())]
        measures = tuple(f"{measure}{end}" for end in suffixes for measure in FORECAST_MEASURES)
        super().__init__(
            model, spec,
            quantities=(Quantity(spec.target, "y", measures),),
            errors=lambda: ForecastErrors(
                spec.target, spec.horizon, steps,
                masks=rules["masks"], aggregation=rules["aggregation"],
            ),
            optimizer=optimizer, schedule=schedule, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.loss_name, self.loss_scale, self.loss_mask = loss, loss_scale, loss_mask
        self.fill = fill
        for name in ("shift", "scale"):  # [3 parts, F]
            self.register_buffer(name, torch.tensor(spec.statistics[name], dtype=torch.float64))
        self.sample = ForecastSample(spec.horizon, spec.num_nodes)

    def prepare(self, datamodule: Traffic, num_processes: int = 1) -> str | None:  # type: ignore[override]
        """Fit a `geozoo.contracts.Fitted` model to the training split."""
        if not isinstance(self.model, Fitted):
            return super().prepare(datamodule, num_processes)
        values, observed, time = datamodule.training_series()
        target = (values[..., 0].double() - self.shift[0, 0]) / self.scale[0, 0]
        self.model.fit(target.masked_fill(~observed, 0.0), observed=observed, time=time)
        return "fitted the model to the training split"

    def inputs(self, batch: WindowBatch) -> dict[str, Any]:
        """Normalised inputs without missing entries, calendar features, and lagged values."""
        dtype = model_dtype(self.model)
        shift, scale = self.shift[batch.part], self.scale[batch.part]  # [B, F]
        x = (batch.x.double() - shift[:, None, None]) / scale[:, None, None]
        target = x[..., 0].masked_fill(~batch.x_observed, 0.0)
        if self.fill == "last":
            target = _filled_forward(target, batch.x_observed)
        x = torch.cat([target[..., None], x[..., 1:]], -1)
        given: dict[str, Any] = {"x": x.to(dtype), "time": batch.time}
        if batch.lagged is not None:
            lagged = (batch.lagged.double() - shift[:, :1, None, None]) / scale[:, :1, None, None]
            given["lagged"] = lagged.to(dtype)
            given["lagged_observed"] = batch.lagged_observed
        return given

    def loss(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The masked mean of the loss."""
        forecast = self(batch)
        _check_forecast(forecast, batch.y)
        # Half precision is too coarse for physical values and for the sum over a batch.
        forecast = forecast.to(torch.promote_types(forecast.dtype, torch.float32))
        target = batch.y.to(forecast.dtype)
        if self.loss_scale == "physical":
            forecast = self._physical(forecast, batch)
        else:
            target = ((target - self._shift(batch)) / self._scale(batch)).to(forecast.dtype)
        each = _LOSSES[self.loss_name](forecast, target.to(forecast.dtype), reduction="none")
        return {"loss": self._counted_mean(each, batch)}

    def loss_counts(self, store: SeriesStore) -> dict[str, Tensor]:  # type: ignore[override]
        """Number of unmasked entries in the horizon of each window ``[S]``."""
        counted = store.observed
        if self.loss_mask == "nonzero":
            counted = counted & (store.values[..., 0] != 0)
        before = functional.pad(counted.sum(1).cumsum(0), (1, 0))  # entries before each step
        ahead = before[store.input_steps :]
        return {"loss": ahead[store.horizon :] - ahead[: -store.horizon]}

    def predict(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The forecast ``[B, H, N]`` in physical units."""
        forecast = self(batch).detach()
        _check_forecast(forecast, batch.y)
        return {self.spec.target: self._physical(forecast, batch)}

    def predict_baseline(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The persistence baseline: the last observed value, or the mean if there is none."""
        scaled = (batch.x[..., 0].double() - self._shift(batch)) / self._scale(batch)
        scaled = _filled_forward(scaled.masked_fill(~batch.x_observed, 0.0), batch.x_observed)
        return {self.spec.target: self._physical(scaled[:, -1:], batch).expand_as(batch.y)}

    def targets(self, batch: WindowBatch) -> dict[str, Tensor]:
        """The ground truth ``[B, H, N]``; NaN where it is missing."""
        return {self.spec.target: batch.y.masked_fill(~batch.y_observed, torch.nan)}

    def on_test_start(self) -> None:
        """Start new samples of predictions and forecasts."""
        super().on_test_start()
        self.sample = ForecastSample(self.spec.horizon, self.spec.num_nodes)

    def collect_test(
        self, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: WindowBatch
    ) -> None:
        """Also collect the forecasts for figures."""
        super().collect_test(predictions, targets, batch)
        self.sample.add(predictions[self.spec.target], targets[self.spec.target], batch.index)

    def own_figures(self, outcome: Outcome) -> list[Figure]:
        """Error by horizon, forecasts of selected sensors, and a map if coordinates are known."""
        if not outcome.is_tested:
            return []
        data, spec = outcome.datamodule, self.spec
        coordinates = data.series.coordinates if isinstance(data, Traffic) else None
        return forecast_figures(self.sample, spec, self._sensors, coordinates)

    def draw_worst(self, store: Store, path: Path) -> None:
        """Draw the windows of the last test with the largest errors, in descending order."""
        batch = store.gather(self.worst.index).to(self.device)
        forecasts = self.predict_tested(batch)[self.spec.target]
        inputs = batch.x[..., 0].masked_fill(~batch.x_observed, torch.nan)
        plot_windows(
            inputs.cpu(), self.targets(batch)[self.spec.target].cpu(), forecasts.cpu(), path,
            windows=batch.index.tolist(), sensors=self._sensors, unit=self.spec.units["y"],
            interval=self.spec.interval,
        )  # fmt: skip

    @property
    def _sensors(self) -> Sequence[object]:
        """Sensor names, or sensor indices if the data has no names."""
        return self.spec.record.sensors or range(self.spec.num_nodes)

    def _counted_mean(self, each: Float[Tensor, "B H N"], batch: WindowBatch) -> Tensor:
        """The mean over the entries that the loss mask includes."""
        counted = batch.y_observed
        if self.loss_mask == "nonzero":
            counted = counted & (batch.y != 0)
        kept = torch.where(counted, each, each.new_zeros(()))
        return kept.sum() / counted.sum().clamp_min(1)

    def _shift(self, batch: WindowBatch) -> Float[Tensor, "B 1 1"]:
        return self.shift[batch.part, 0][:, None, None]

    def _scale(self, batch: WindowBatch) -> Float[Tensor, "B 1 1"]:
        return self.scale[batch.part, 0][:, None, None]

    def _physical(self, forecast: Tensor, batch: WindowBatch) -> Tensor:
        """The forecast in physical units; a half-precision forecast is converted to float32."""
        dtype = torch.promote_types(forecast.dtype, torch.float32)
        return forecast.to(dtype) * self._scale(batch).to(dtype) + self._shift(batch).to(dtype)


def reported_steps(minutes: Any, spec: ForecastSpec) -> dict[int, str]:
    """Steps and labels of the reported horizons, such as ``{3: "15min"}``.

    Horizons beyond the forecast or between two steps are left out.
    """
    return {
        minute // spec.interval: f"{minute}min"
        for minute in minutes
        if minute % spec.interval == 0 and minute <= spec.horizon * spec.interval
    }


def _filled_forward(
    values: Float[Tensor, "B T N"], observed: Bool[Tensor, "B T N"]
) -> Float[Tensor, "B T N"]:
    """Forward fill of missing values; values before the first observed one are not changed."""
    steps = torch.arange(values.shape[1], device=values.device)[:, None]
    last = torch.where(observed, steps, steps.new_zeros(())).cummax(1).values
    return values.gather(1, last)


def _check_forecast(forecast: Tensor, target: Tensor) -> None:
    if forecast.shape != target.shape:
        raise ValueError(
            f"the model's forecast must have shape [B, H, N] = {tuple(target.shape)}, "
            f"got {tuple(forecast.shape)}"
        )
