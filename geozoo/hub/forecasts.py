"""Forecasts for a series: the newest readings in, the next steps with their times out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from geozoo.data import SeriesStore, TrafficSeries, WindowBatch
from geozoo.data.traffic._regular_grid import on_regular_grid
from geozoo.data.traffic._utc_offsets import minutes_apart
from geozoo.data.traffic.series import MINUTES_PER_DAY, day_of_week, slot_of_day
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.metrics import QUANTILES

if TYPE_CHECKING:
    from geozoo.hub.loading import TrainedModel

_LOG = logging.getLogger(__name__)


class Forecast(NamedTuple):
    """The next steps of a series.

    Attributes:
        times: datetime64[s] ``[H]``, local clock.
        values: ``[H, N]`` in the unit of the training data.
        quantiles: ``[Q, H, N]`` of a model that forecasts such, by level; None for others.
        spread: ``[H, N]``, standard deviation over the members of an ensemble; None for a model.
        sensor_ids: name of each sensor.
    """

    times: np.ndarray
    values: np.ndarray
    quantiles: dict[float, np.ndarray] | None
    spread: np.ndarray | None
    sensor_ids: tuple[str, ...]


def forecast(model: TrainedModel | Ensemble, series: TrafficSeries) -> Forecast:
    """Predict what comes after the last step of a series.

    Steps that the series does not have count as unobserved, unless the model was trained with
    ``dataset.absent_rows=closed``. A table is read as in
    training by `geozoo.hub.readings.read_readings`.

    Args:
        model: a trained forecaster, or an ensemble of them.
        series: the sensors of its training, in any order, with at least as many steps as it sees
            and a reading among these; older ones serve models that look back days, and a warning
            is logged where such a model lacks them.

    Raises:
        ValueError: for other sensors, another interval, another UTC offset than daylight saving
            explains, too few steps, or no reading among the last.
    """
    spec = model.spec
    closed = spec.record.reading.get("absent_rows") == "closed"
    if not closed:
        series = on_regular_grid(series)
    order = _order(spec.record.sensors, series, spec.num_nodes)
    _check(spec, series)
    for member in model.members if isinstance(model, Ensemble) else (model,):
        _check_offsets(member.spec, series)
    # The steps to come have to be there, unobserved, for a window to end on the last reading.
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
    found = model.predict(batch)
    found = {name: value[0].cpu().numpy() for name, value in found.items()}
    names = tuple(series.sensor_ids[place] for place in order)
    quantiles = None
    if f"{spec.target}{QUANTILES}" in found:
        levels = model.task.levels
        quantiles = dict(zip(levels, found[f"{spec.target}{QUANTILES}"], strict=True))
    spread = found.get(f"{spec.target}{SPREAD}")
    return Forecast(ahead, found[spec.target], quantiles, spread, names)


def _warn_of_lags(
    lags: tuple[int, ...], batch: WindowBatch, series: TrafficSeries, *, closed: bool
) -> None:
    """Say which of the readings that a model looks back for it does not have."""
    if batch.lagged_observed is None:
        return
    for lag, seen in zip(lags, batch.lagged_observed[0], strict=True):
        if seen.all():
            continue
        early = max(0, min(lag - len(series.times), len(seen))) * seen.shape[1]
        lacks = []
        if early:
            # The step after the last one needs the oldest of them.
            first = series.times[-1] - np.timedelta64(60 * series.interval * (lag - 1), "s")
            begin = f"have {lag} rows" if closed else f"begin at {first}"
            lacks.append(f"{early} are from before the table, which would have to {begin} for them")
        if empty := int((~seen).sum()) - early:
            lacks.append(f"{empty} are missing in it" if early else f"{empty} are missing")
        days = lag * series.interval / MINUTES_PER_DAY
        back = f"{lag} steps ({days:g} day{'s' * (days != 1)})"
        _LOG.warning(
            f"{series.source or 'the series'}: of the {seen.numel()} readings {back} before the "
            f"forecast, {' and '.join(lacks)}; the model forecasts without them (seasonal_naive "
            "repeats the newest reading)"
        )


def _order(known: list[str] | None, series: TrafficSeries, count: int) -> list[int]:
    """Where the sensors of the training stand in the series."""
    if known is None:  # a model from before sensors were recorded
        if len(series.sensor_ids) != count:
            raise ValueError(f"the model knows {count} sensors, got {len(series.sensor_ids)}")
        return list(range(count))
    place = {name: number for number, name in enumerate(series.sensor_ids)}
    missing = [name for name in known if name not in place]
    if missing or len(place) > len(known):
        odd = missing or sorted(place.keys() - set(known))
        what = "lacks" if missing else "has unknown"
        raise ValueError(
            f"the series {what} sensors: {', '.join(map(str, odd[:5]))}"
            f"{', ...' if len(odd) > 5 else ''} ({len(odd)} in all); the model was trained on "
            f"{len(known)} of them, by name"
        )
    return [place[name] for name in known]


def _check(spec: object, series: TrafficSeries) -> None:
    features = series.values.shape[2]
    if series.interval != spec.interval:
        raise ValueError(
            f"the model was trained on steps of {spec.interval} minutes, the series has "
            f"{series.interval}"
        )
    if features != spec.in_channels:
        raise ValueError(
            f"the model sees {spec.in_channels} features of a sensor, the series has {features}"
        )
    if len(series.times) < spec.input_steps:
        raise ValueError(
            f"the model sees {spec.input_steps} steps, the series has {len(series.times)}"
        )
    last = slice(-spec.input_steps, None)
    if not series.observed[last].any():
        raise ValueError(
            f"none of the last {spec.input_steps} steps, from {series.times[last][0]} on, has a "
            "reading"
        )


def _check_offsets(spec: object, series: TrafficSeries) -> None:
    """Refuse a clock that is another one than in training by more than daylight saving."""
    trained = spec.record.reading.get("utc_offsets", [])
    given = series.reading.get("utc_offsets", [])
    apart = minutes_apart(trained, given)
    if apart is not None and apart > 60:
        raise ValueError(
            f"{series.source}: its times are {' and '.join(given)} of UTC, those of the training "
            f"{' and '.join(trained)}; convert them, or give time_zone=Europe/Berlin, for example"
        )
