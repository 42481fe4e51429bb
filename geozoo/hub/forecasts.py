"""Forecasts for a series: from the latest readings to the next steps with their times."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from geozoo.data import DataSpec, ForecastSpec, SeriesStore, TrafficSeries, WindowBatch
from geozoo.data.traffic._regular_grid import on_regular_grid
from geozoo.data.traffic._utc_offsets import minutes_apart
from geozoo.data.traffic.series import MINUTES_PER_DAY, day_of_week, slot_of_day
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.metrics import QUANTILES
from geozoo.tasks import QuantileForecasting

if TYPE_CHECKING:
    from geozoo.hub.loading import TrainedModel

_LOG = logging.getLogger(__name__)


class Forecast(NamedTuple):
    """The next steps of a series.

    Attributes:
        times: datetime64[s] ``[H]``, local time.
        values: ``[H, N]`` in the unit of the training data.
        quantiles: ``[H, N]`` by level, for a model that forecasts quantiles; None for others.
        spread: ``[H, N]``, standard deviation over the members of an ensemble; None for a single
            model.
        sensor_ids: name of each sensor.
    """

    times: np.ndarray
    values: np.ndarray
    quantiles: dict[float, np.ndarray] | None
    spread: np.ndarray | None
    sensor_ids: tuple[str, ...]


def forecast(model: TrainedModel | Ensemble, series: TrafficSeries) -> Forecast:
    """Forecast the steps after the end of a series.

    Steps absent from the series count as unobserved, unless the model was trained with
    ``dataset.absent_rows=closed``. `geozoo.hub.readings.read_readings` reads a table with the
    settings of the training data.

    Args:
        model: a trained forecaster, or an ensemble of them.
        series: readings of the training sensors, in any order, at least as long as the lookback
            window, which must contain a reading. Models with lags also use older readings; a
            warning is logged where these are missing.

    Raises:
        ValueError: If the model is not a forecaster, the sensors or the interval differ from
            training, the UTC offset differs by more than daylight saving time, or the lookback
            window is incomplete or has no reading.
    """
    spec = model.spec
    if not isinstance(spec, ForecastSpec):
        raise ValueError(
            f"model must be a forecaster, but {model.name} was trained on {spec.family} data"
        )
    closed = spec.record.reading.get("absent_rows") == "closed"
    if not closed:
        series = on_regular_grid(series)
    order = _order(spec.record.sensors, series, spec.num_nodes)
    _check(spec, series)
    for member in model.members:
        _check_offsets(member.spec, series)
    # Append the horizon as unobserved steps, so that the input of the last window ends on the last
    # reading.
    step = np.timedelta64(60 * spec.interval, "s")
    ahead = series.times[-1] + step * np.arange(1, spec.horizon + 1)
    times = np.concatenate([series.times, ahead])
    values = torch.from_numpy(series.values[:, order])
    observed = torch.from_numpy(series.observed[:, order])
    clock = np.stack([slot_of_day(times, spec.interval), day_of_week(times)], 1)
    windows = len(times) - spec.input_steps - spec.horizon + 1
    store = SeriesStore(
        torch.cat([values, values.new_zeros(spec.horizon, *values.shape[1:])]),
        torch.cat([observed, observed.new_zeros(spec.horizon, observed.shape[1])]),
        torch.from_numpy(clock), torch.zeros(windows, dtype=torch.int64),
        input_steps=spec.input_steps, horizon=spec.horizon,
        lags=model.lags,
    )  # fmt: skip
    batch = store.gather([windows - 1])
    _warn_of_lags(model.lags, batch, series, closed=closed)
    outputs = model.predict(batch)
    predicted = {name: value[0].cpu().numpy() for name, value in outputs.items()}
    names = tuple(series.sensor_ids[column] for column in order)
    quantiles = None
    if f"{spec.target}{QUANTILES}" in predicted:
        assert isinstance(model.task, QuantileForecasting)
        quantiles = dict(
            zip(model.task.levels, predicted[f"{spec.target}{QUANTILES}"], strict=True)
        )
    spread = predicted.get(f"{spec.target}{SPREAD}")
    return Forecast(ahead, predicted[spec.target], quantiles, spread, names)


def _warn_of_lags(
    lags: tuple[int, ...], batch: WindowBatch, series: TrafficSeries, *, closed: bool
) -> None:
    """Warn of missing readings at the lags of a model."""
    if batch.lagged_observed is None:
        return
    for lag, seen in zip(lags, batch.lagged_observed[0], strict=True):
        if seen.all():
            continue
        early = max(0, min(lag - len(series.times), len(seen))) * seen.shape[1]
        reasons = []
        if early:
            # The first forecast step needs the oldest of them.
            first = series.times[-1] - np.timedelta64(60 * series.interval * (lag - 1), "s")
            begin = f"contain {lag} rows" if closed else f"begin at {first}"
            reasons.append(f"{early} precede the table (which would have to {begin})")
        if empty := int((~seen).sum()) - early:
            reasons.append(f"{empty} are missing in it" if early else f"{empty} are missing")
        days = lag * series.interval / MINUTES_PER_DAY
        back = f"{lag} steps ({days:g} day{'s' * (days != 1)})"
        _LOG.warning(
            f"{series.source or 'the series'}: of the {seen.numel()} readings {back} before the "
            f"forecast, {' and '.join(reasons)}; the model forecasts without them (seasonal_naive "
            "repeats the latest reading)"
        )


def _order(known: list[str] | None, series: TrafficSeries, count: int) -> list[int]:
    """Column of each training sensor in the series."""
    if known is None:  # an older model, without recorded sensors
        if len(series.sensor_ids) != count:
            raise ValueError(
                f"the series must have {count} sensors, as in training, got "
                f"{len(series.sensor_ids)}"
            )
        return list(range(count))
    column = {name: number for number, name in enumerate(series.sensor_ids)}
    missing = [name for name in known if name not in column]
    if missing or len(column) > len(known):
        odd = missing or sorted(column.keys() - set(known))
        what = "lacks" if missing else "has unknown"
        raise ValueError(
            f"the series {what} sensors: {', '.join(map(str, odd[:5]))}"
            f"{', ...' if len(odd) > 5 else ''} ({len(odd)} in total); the model was trained on "
            f"{len(known)} sensors, matched by name"
        )
    return [column[name] for name in known]


def _check(spec: ForecastSpec, series: TrafficSeries) -> None:
    features = series.values.shape[2]
    if series.interval != spec.interval:
        raise ValueError(
            f"the series must have steps of {spec.interval} minutes, as in training, got "
            f"{series.interval} minutes"
        )
    if features != spec.in_channels:
        raise ValueError(
            f"the series must have {spec.in_channels} features per sensor, as in training, got "
            f"{features}"
        )
    if len(series.times) < spec.input_steps:
        raise ValueError(
            f"the series must have at least {spec.input_steps} steps, the model's lookback "
            f"window, got {len(series.times)}"
        )
    last = slice(-spec.input_steps, None)
    if not series.observed[last].any():
        raise ValueError(
            f"the lookback window (the last {spec.input_steps} steps, from "
            f"{series.times[last][0]}) contains no reading"
        )


def _check_offsets(spec: DataSpec, series: TrafficSeries) -> None:
    """Check that UTC offsets differ from those in training by daylight saving time at most."""
    trained = spec.record.reading.get("utc_offsets", [])
    given = series.reading.get("utc_offsets", [])
    apart = minutes_apart(trained, given)
    if apart is not None and apart > 60:
        raise ValueError(
            f"{series.source}: the UTC offset must be {' or '.join(trained)}, as in training, got "
            f"{' and '.join(given)}; convert the times, or set time_zone, for example "
            "time_zone=Europe/Berlin"
        )
