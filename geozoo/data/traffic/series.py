"""Synchronised time series of many sensors, with optional information on the roads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from geozoo.data.traffic._time_order import check_times

Array = np.ndarray

MINUTES_PER_DAY = 1440
_NAMES_IN_NOTE = 5
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.0*)?)?)?")


@dataclass(frozen=True)
class TrafficSeries:
    """A validated multivariate series: ``S`` steps, ``N`` sensors, ``F`` features.

    Attributes:
        values: float32 ``[S, N, F]``, all finite; feature 0 is the target, and 0 where it was not
            observed.
        observed: ``[S, N]``, false where the target is missing.
        times: datetime64[s] ``[S]``, local time of each step, strictly increasing by multiples of
            ``interval``. Gaps are allowed (see :func:`with_quality_notes`).
        interval: minutes between steps; must divide a day.
        features: name of each feature.
        units: unit of each feature.
        sensor_ids: name of each sensor, all distinct.
        coordinates: float64 ``[N, 2]``, latitude and longitude in degrees; ``None`` if unknown.
        distances: float64 ``[N, N]``, length of the listed road from the row's sensor to the
            column's, in the unit of the source; infinite where none is listed (also on the
            diagonal, unless listed). ``None`` if unknown.
        adjacency: float32 ``[N, N]``, non-negative weights given by the source, from row to
            column; ``None`` if there are none.
        source: origin of the series, for display.
        notes: remarks on the series as it was read (:meth:`part` keeps them).
        reading: how cells of a file became readings (sentinel values, table format, UTC offsets),
            as plain data; a trained model stores it for its predictions.

    Raises:
        ValueError: If shapes are inconsistent, values are NaN, ids repeat, times are repeated, out
            of order or off the grid of ``interval``, the interval does not divide a day, or an
            unobserved target is not 0.
    """

    values: Float32[Array, "S N F"]
    observed: Bool[Array, "S N"]
    times: Array
    interval: int
    features: tuple[str, ...]
    units: tuple[str, ...]
    sensor_ids: tuple[str, ...]
    coordinates: Float64[Array, "N 2"] | None = None
    distances: Float64[Array, "N N"] | None = None
    adjacency: Float32[Array, "N N"] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the series."""
        check_interval(self.interval)
        self._check_shapes()
        check_times(self.times, self.interval, self.source)
        _check_ids(self.sensor_ids, self.source)
        _check_graph(self, self.source)
        bad = ~np.isfinite(self.values)
        if bad.any():
            step, sensor, feature = np.argwhere(bad)[0].tolist()
            raise ValueError(
                f"{_of(self.source)}values must be finite, got {self.values[step, sensor, feature]}"
                f" in step {step} ({self.times[step]}), sensor {self.sensor_ids[sensor]}, feature "
                f"{self.features[feature]}; {int(bad.sum())} such entries in total"
            )
        unseen = (self.values[..., 0] != 0) & ~self.observed
        if unseen.any():
            step, sensor = np.argwhere(unseen)[0].tolist()
            raise ValueError(
                f"{_of(self.source)}the target must be 0 where it was not observed, got "
                f"{self.values[step, sensor, 0]} in step {step}, sensor {self.sensor_ids[sensor]}"
            )

    def _check_shapes(self) -> None:
        if self.values.ndim != 3 or 0 in self.values.shape:
            raise ValueError(
                f"{_of(self.source)}values must have shape [steps, sensors, features], without "
                f"empty axes, got {self.values.shape}"
            )
        steps, sensors, features = self.values.shape
        wanted: dict[str, tuple[tuple[int, ...], str]] = {
            "values": (self.values.shape, "float32"),
            "observed": ((steps, sensors), "bool"),
            "times": ((steps,), "datetime64[s]"),
            "coordinates": ((sensors, 2), "float64"),
            "distances": ((sensors, sensors), "float64"),
            "adjacency": ((sensors, sensors), "float32"),
        }
        for name, (shape, dtype) in wanted.items():
            array = getattr(self, name)
            if array is not None and (array.shape != shape or array.dtype != np.dtype(dtype)):
                raise ValueError(
                    f"{_of(self.source)}{name} must be {dtype} of shape {shape}, got "
                    f"{array.dtype} of shape {array.shape}"
                )
        counts = {"features": features, "units": features, "sensor_ids": sensors}
        for name, count in counts.items():
            if len(getattr(self, name)) != count:
                raise ValueError(
                    f"{_of(self.source)}{name} must have {count} entries for values of shape "
                    f"{self.values.shape}, got {len(getattr(self, name))}"
                )

    @property
    def steps_per_day(self) -> int:
        """Number of steps per day."""
        return MINUTES_PER_DAY // self.interval

    @property
    def slots_per_day(self) -> int:
        """Deprecated name of `steps_per_day`."""
        warn_of_former_name("TrafficSeries.slots_per_day", "steps_per_day")
        return self.steps_per_day

    def slot_of_day(self) -> Int64[Array, " S"]:
        """Index of each step within its day, 0 to ``steps_per_day - 1``."""
        return slot_of_day(self.times, self.interval)

    def day_of_week(self) -> Int64[Array, " S"]:
        """Weekday of each step, Monday 0 to Sunday 6."""
        return day_of_week(self.times)

    def part(self, steps: slice) -> TrafficSeries:
        """A range of steps, as views; notes remain those of the whole series.

        Args:
            steps: the steps, without a stride, which would change the interval.

        Raises:
            ValueError: If the slice has a stride, or is empty.
        """
        if steps.step not in (None, 1):
            raise ValueError(f"steps must be a slice without a stride, got {steps}")
        if len(self.times[steps]) == 0:
            raise ValueError(f"steps must not be empty, got {steps} of {len(self.times)} steps")
        return replace(
            self, values=self.values[steps], observed=self.observed[steps], times=self.times[steps]
        )


def slot_of_day(times: Array, interval: int) -> Int64[Array, " S"]:
    """Index of each time within its day, in steps of ``interval`` minutes from midnight."""
    seconds = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.int64)
    return seconds // (60 * interval)


def day_of_week(times: Array) -> Int64[Array, " S"]:
    """Weekday of each time, Monday 0 to Sunday 6."""
    # Day 0, 1 January 1970, was a Thursday.
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7


def clock(start: str | date | np.datetime64, steps: int, interval: int) -> Array:
    """Regular times datetime64[s] of ``steps`` steps.

    Args:
        start: local time of the first step, in ISO 8601 without a zone.
        steps: number of steps.
        interval: minutes between steps.

    Raises:
        ValueError: If the start is not such a time, or the interval is invalid.
    """
    check_interval(interval)
    text = start.isoformat() if isinstance(start, date) else str(start)
    try:
        # Checked first: NumPy also accepts "now", and drops a time zone.
        first = np.array(text if _LOCAL_TIME.fullmatch(text) else "NaT", dtype="datetime64[s]")
    except ValueError:
        first = np.array("NaT", dtype="datetime64[s]")
    if np.isnat(first):
        raise ValueError(
            "start must be a local time like 2016-07-01 or 2016-07-01T03:40, without a zone, got "
            f"{start!r}"
        )
    return first + np.arange(steps) * np.timedelta64(60 * interval, "s")


def check_interval(interval: int) -> None:
    """Check that the interval is a positive integer that divides a day."""
    if isinstance(interval, bool) or not isinstance(interval, int | np.integer) or interval < 1:
        raise ValueError(f"interval must be a positive whole number of minutes, got {interval!r}")
    if MINUTES_PER_DAY % interval:
        raise ValueError(
            f"interval must divide the {MINUTES_PER_DAY} minutes of a day, got {interval}"
        )


def with_quality_notes(series: TrafficSeries) -> TrafficSeries:
    """The series with added notes on gaps, missing entries, and silent or constant sensors."""
    unseen = ~series.observed
    count, share = int(unseen.sum()), float(unseen.mean())
    notes = [*series.notes, *_gap_notes(gaps(series.times, series.interval))]
    notes.append(f"{count} of {unseen.size} target entries are missing ({100 * share:.3g} %)")
    names = np.array(series.sensor_ids, dtype=object)
    silent = unseen.all(0)
    if silent.any():
        notes.append(f"{_listed(names[silent])} never report")
    target = series.values[..., 0]
    lowest = np.where(series.observed, target, np.inf).min(0)
    highest = np.where(series.observed, target, -np.inf).max(0)
    constant = (lowest == highest) & ~silent
    if constant.any() and len(target) > 1:
        notes.append(f"{_listed(names[constant])} always report the same value")
    return replace(series, notes=tuple(notes))


def with_notes(series: TrafficSeries) -> TrafficSeries:
    """Deprecated name of `with_quality_notes`."""
    warn_of_former_name("geozoo.data.traffic.series.with_notes", "with_quality_notes")
    return with_quality_notes(series)


def warn_of_former_name(former: str, current: str) -> None:
    """Warn the caller of a deprecated function or property."""
    warnings.warn(f"{former} is now {current}", DeprecationWarning, stacklevel=3)


def gaps(times: Array, interval: int) -> list[tuple[np.datetime64, np.datetime64, int]]:
    """Gaps in the steps: the time before, the time after, and the number of absent steps."""
    absent = np.diff(times).astype("timedelta64[s]").astype(np.int64) // (60 * interval) - 1
    return [(times[i], times[i + 1], int(absent[i])) for i in np.flatnonzero(absent)]


def _gap_notes(found: list[tuple[np.datetime64, np.datetime64, int]]) -> list[str]:
    """One line per gap if there are few, one line in total otherwise."""
    if len(found) <= _NAMES_IN_NOTE:
        return [f"{count} steps are absent between {before} and {after}"
                for before, after, count in found]  # fmt: skip
    before, after, longest = max(found, key=lambda gap: gap[2])
    return [
        f"{sum(count for *_, count in found)} steps are absent in {len(found)} gaps, the longest "
        f"between {before} and {after} ({longest} steps)"
    ]


def _listed(names: Iterable[str]) -> str:
    """The number of names, and the first few."""
    chosen = list(names)
    more = ", ..." if len(chosen) > _NAMES_IN_NOTE else ""
    return f"{len(chosen)} sensors ({', '.join(chosen[:_NAMES_IN_NOTE])}{more})"


def _of(source: str) -> str:
    return f"{source}: " if source else ""


def _check_ids(sensor_ids: tuple[str, ...], source: str) -> None:
    if not all(isinstance(name, str) and name for name in sensor_ids):
        raise ValueError(f"{_of(source)}sensor_ids must be non-empty strings")
    if len(set(sensor_ids)) < len(sensor_ids):
        twice = next(name for i, name in enumerate(sensor_ids) if name in sensor_ids[:i])
        raise ValueError(f"{_of(source)}sensor_ids must be distinct, but {twice!r} occurs twice")


def _check_graph(series: TrafficSeries, source: str) -> None:
    if series.distances is not None and not (series.distances >= 0).all():
        row, column = np.argwhere(~(series.distances >= 0))[0].tolist()
        raise ValueError(
            f"{_of(source)}distances must not be negative, got {series.distances[row, column]} "
            f"from {series.sensor_ids[row]} to {series.sensor_ids[column]}"
        )
    if series.adjacency is not None:
        check_weights(series.adjacency, f"{_of(source)}adjacency")
    if series.coordinates is not None:
        bad = ~(np.abs(series.coordinates) <= (90.0, 180.0)).all(1)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"{_of(source)}coordinates must be latitude within 90 and longitude within 180 "
                f"degrees, got {series.coordinates[row].tolist()} for {series.sensor_ids[row]}"
            )


def check_weights(weights: Array, name: str) -> None:
    """Check that weights are finite and non-negative."""
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"{name} must be finite and non-negative, got {weights[row, column]} in row {row}, "
            f"column {column}"
        )
