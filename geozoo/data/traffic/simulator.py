r"""Synthetic traffic on a random road network, where upstream sensors carry predictive information.

A reading is the sum of four components. With the default options and seed 0 they account for these
shares of the variance of the readings about each sensor's mean. The shares do not sum to exactly
1, since waves and incidents are more frequent during the day.

========== ===== ====== ========================================================================
component  flow  speed  description
========== ===== ====== ========================================================================
rhythm     90 %  34 %   daily and weekly profile of every sensor
waves      11 %  41 %   disturbances that start at a random sensor and travel along the roads at
                        constant speed with slow decay: what a sensor will measure in half an
                        hour is now at a sensor upstream
incidents  0.2 % 3 %    sudden local losses, which are unpredictable
noise      2 %   5 %    measurement noise and rounding
========== ===== ====== ========================================================================

The mean absolute error of a linear forecast of the deviation from the mean day, given a sensor's
own last hour, decreases by 20 % at 30 minutes and by 12 % at 60 minutes if the last hour of the
sensors up to 25 km upstream is added (flow, seed 0, last 30 % of the days held out; seeds 1 and 2:
22 and 25 %, 12 and 16 %). Without waves the graph carries no information.

This is a testbed for forecasting models, not a traffic model: waves travel in the direction of the
roads and ignore capacity, whereas real shock waves travel upstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64

from geozoo.checks import check_seed
from geozoo.data.traffic._road_network import RoadNetwork, make_road_network, shortest_ways
from geozoo.data.traffic.series import (
    MINUTES_PER_DAY,
    TrafficSeries,
    check_interval,
    clock,
    day_of_week,
    warn_of_former_name,
    with_quality_notes,
)

#: Increased whenever the output for a seed changes.
TRAFFIC_SIMULATOR_VERSION = 1

Array = np.ndarray
Quantity = Literal["flow", "speed"]
#: Waves are truncated at this fraction of their initial strength.
_FAINT = 0.03
#: Half of the missing readings are isolated, half are in outages of this mean duration.
_OUTAGE_HOURS = 3.0


@dataclass(frozen=True)
class TrafficOptions:
    """Options of the simulation: size, and strength of each component.

    Attributes:
        num_sensors: number of sensors ``N``, at least 2.
        num_days: number of days.
        interval: minutes between steps.
        quantity: ``"flow"``, whole vehicles per interval, or ``"speed"``, mph to one decimal.
        start: local time of the first step.
        seed: random seed of network and traffic.
        waves_per_day: disturbances that start at each sensor per day at full load.
        wave_strength: typical initial amplitude, as a fraction of a sensor's capacity.
        wave_speed: propagation speed in km/h.
        wave_reach: decay length (to 1/e) in km.
        incidents_per_day: incidents per sensor and day.
        noise: standard deviation of the measurement noise, as a fraction of capacity.
        missing_share: fraction of readings that are missing.
        silent_sensors: number of sensors that never report.

    Raises:
        ValueError: If an option is out of range.
    """

    num_sensors: int = 40
    num_days: int = 28
    interval: int = 5
    quantity: Quantity = "flow"
    start: str = "2024-01-01"
    seed: int = 0
    waves_per_day: float = 2.0
    wave_strength: float = 0.25
    wave_speed: float = 20.0
    wave_reach: float = 40.0
    incidents_per_day: float = 0.15
    noise: float = 0.03
    missing_share: float = 0.01
    silent_sensors: int = 0

    def __post_init__(self) -> None:
        """Validate the options."""
        check_interval(self.interval)
        clock(self.start, 1, self.interval)
        check_seed(self.seed)
        if self.quantity not in get_args(Quantity):
            raise ValueError(f"quantity must be one of {get_args(Quantity)}, got {self.quantity!r}")
        if self.num_sensors < 2:
            raise ValueError(f"num_sensors must be at least 2, got {self.num_sensors!r}")
        if self.num_days < 1:
            raise ValueError(f"num_days must be at least 1, got {self.num_days!r}")
        for name in ("wave_speed", "wave_reach"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        for name in ("waves_per_day", "wave_strength", "incidents_per_day", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)!r}")
        if not 0 <= self.missing_share < 1:
            raise ValueError(f"missing_share must be within [0, 1), got {self.missing_share!r}")
        if not 0 <= self.silent_sensors < self.num_sensors:
            raise ValueError(
                f"silent_sensors must be in 0..{self.num_sensors - 1}, got {self.silent_sensors!r}"
            )

    @property
    def steps_per_day(self) -> int:
        """Number of steps per day."""
        return MINUTES_PER_DAY // self.interval

    @property
    def slots_per_day(self) -> int:
        """Deprecated name of `steps_per_day`."""
        warn_of_former_name("TrafficOptions.slots_per_day", "steps_per_day")
        return self.steps_per_day


@dataclass(frozen=True)
class TrafficParts:
    """Components of the readings, each ``[S, N]`` in the unit of the readings.

    Attributes:
        rhythm: daily and weekly profile.
        waves: disturbances that travel along the roads.
        incidents: sudden local losses.
        noise: measurement noise, including rounding and clipping at the smallest reading.
        network: the roads.
    """

    rhythm: Float64[Array, "S N"]
    waves: Float64[Array, "S N"]
    incidents: Float64[Array, "S N"]
    noise: Float64[Array, "S N"]
    network: RoadNetwork

    @property
    def readings(self) -> Float64[Array, "S N"]:
        """The sum of the components, without missing values."""
        return self.rhythm + self.waves + self.incidents + self.noise


def simulate_traffic(options: TrafficOptions | None = None) -> TrafficSeries:
    """Simulate the readings of a road network, reproducibly for given options.

    Returns:
        Readings with distances in km, coordinates and missing entries.

    Raises:
        ValueError: If an option is out of range, see `TrafficOptions`.
    """
    options = options or TrafficOptions()
    parts = simulate_parts(options)
    observed = _observed(options, _streams(options)["missing"])
    is_flow = options.quantity == "flow"
    return with_quality_notes(
        TrafficSeries(
            values=np.where(observed, parts.readings, 0.0).astype(np.float32)[..., None],
            observed=observed,
            times=clock(options.start, len(observed), options.interval),
            interval=options.interval,
            features=(options.quantity,),
            units=(f"vehicles/{options.interval} min" if is_flow else "mph",),
            sensor_ids=tuple(f"s{number:03d}" for number in range(options.num_sensors)),
            coordinates=parts.network.coordinates,
            distances=parts.network.distances,
            source=f"traffic simulator v{TRAFFIC_SIMULATOR_VERSION}, seed {options.seed}",
        )
    )


def simulate_parts(options: TrafficOptions) -> TrafficParts:
    """Simulate the components of the readings of :func:`simulate_traffic`.

    Each component has its own random stream, so that disabling one leaves the others unchanged.
    """
    streams = _streams(options)
    network = make_road_network(options.num_sensors, streams["network"])
    load = _load(options, network, streams["rhythm"])
    waves = _waves(options, network, load, streams["waves"])
    losses = _losses(options, load, streams["incidents"])
    capacity = streams["capacity"].uniform(0.7, 1.3, options.num_sensors)
    noise = options.noise * streams["noise"].standard_normal(load.shape)
    if options.quantity == "flow":
        scale, least, digits = 60.0 * options.interval * capacity, 0.0, 0
        rhythm, waves, incidents = load, waves, -losses * load
    else:
        scale, least, digits = 50.0 + 15.0 * capacity, 3.0, 1
        rhythm, waves, incidents = 1.0 - 0.4 * np.square(load), waves, -losses
    rhythm, waves, incidents = scale * rhythm, scale * waves, scale * incidents
    exact = rhythm + waves + incidents
    shown = np.round(np.maximum(exact + scale * noise, least), digits)
    return TrafficParts(rhythm, waves, incidents, shown - exact, network)


def _streams(options: TrafficOptions) -> dict[str, np.random.Generator]:
    names = ("network", "rhythm", "waves", "incidents", "capacity", "noise", "missing")
    children = np.random.SeedSequence(options.seed).spawn(len(names))
    return {name: np.random.default_rng(child) for name, child in zip(names, children, strict=True)}


def _load(options: TrafficOptions, network: RoadNetwork, rng: np.random.Generator) -> Array:
    """Demand over capacity, about 0.1 at night and up to 1 in rush hours."""
    times = clock(options.start, options.num_days * options.steps_per_day, options.interval)
    minutes = (times - times.astype("datetime64[D]")).astype("timedelta64[m]").astype(np.int64)
    hour = (minutes / 60)[:, None]
    # Inbound roads peak in the morning, outbound roads in the evening.
    inbound = rng.uniform(0.0, 1.0, int(network.road.max()) + 1)[network.road]
    shift = rng.normal(0.0, 0.4, (3, options.num_sensors))
    daytime = _rise(hour - 6.5 - shift[0]) * _rise(20.5 + shift[1] - hour)
    morning = np.exp(-0.5 * np.square((hour - 8.0 - shift[0]) / 1.2))
    evening = np.exp(-0.5 * np.square((hour - 17.5 - shift[2]) / 1.6))
    plateau = rng.uniform(0.35, 0.5, options.num_sensors)
    workday = 0.1 + plateau * daytime + 0.45 * (inbound * morning + (1 - inbound) * evening)
    leisure = rng.uniform(0.5, 0.9, options.num_sensors)
    midday = np.exp(-0.5 * np.square((hour - 14.0 - shift[1]) / 3.5))
    weekend = 0.1 + plateau * leisure * midday
    # The Friday evening peak is earlier, so that the five working days differ.
    day = day_of_week(times)[:, None]
    friday = 0.08 * (day == 4) * np.exp(-0.5 * np.square((hour - 15.0) / 1.5))
    return np.where(day < 5, workday + friday, weekend)


def _rise(hours: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-2.0 * hours))


def _waves(
    options: TrafficOptions, network: RoadNetwork, load: Array, rng: np.random.Generator
) -> Array:
    """Sum of all waves as fractions of capacity: surges and dips of flow, or losses of speed."""
    ways = shortest_ways(network.distances)
    strength = np.exp(-ways / options.wave_reach)
    delay = 60 * np.where(np.isfinite(ways), ways, 0.0) / options.wave_speed
    waves = np.zeros_like(load)
    for sensor in range(options.num_sensors):
        reached = np.flatnonzero(strength[sensor] > _FAINT)
        count = rng.poisson(options.waves_per_day * options.num_days)
        starts, luck = rng.uniform(0, len(load), count), rng.uniform(0, 1, count)
        heights = options.wave_strength * rng.normal(0.0, 1.0, count)
        if options.quantity == "speed":
            heights = -np.abs(heights)
        widths = rng.uniform(10.0, 25.0, count)
        for start, chance, height, width in zip(starts, luck, heights, widths, strict=True):
            if chance > load[int(start), sensor]:
                continue
            first = int(start)
            last = first + int((delay[sensor, reached].max() + 8 * width) / options.interval) + 2
            minutes = options.interval * (np.arange(first, min(last, len(load))) - start)
            since = np.maximum(minutes[:, None] - delay[sensor, reached], 0.0) / width
            waves[first:last, reached] += height * strength[sensor, reached] * _pulse(since)
    return waves


def _pulse(time: Array) -> Array:
    """Pulse shape: rises from 0 to 1 at time 1, then decays."""
    return time * np.exp(1.0 - time)


def _losses(options: TrafficOptions, load: Array, rng: np.random.Generator) -> Array:
    """Fraction lost to incidents: an immediate drop that recovers linearly."""
    losses = np.zeros_like(load)
    for sensor in range(options.num_sensors):
        count = rng.poisson(options.incidents_per_day * options.num_days)
        starts = rng.integers(0, len(load), count)
        depths, hours = rng.uniform(0.2, 0.6, count), rng.uniform(0.5, 2.0, count)
        for start, depth, length in zip(starts, depths, hours, strict=True):
            steps = max(int(60 * length / options.interval), 1)
            course = depth * (1.0 - np.arange(steps) / steps)[: len(load) - start]
            rows = losses[start : start + steps, sensor]
            np.maximum(rows, course, out=rows)
    return losses


def _observed(options: TrafficOptions, rng: np.random.Generator) -> Array:
    """Mask of the readings that are not missing."""
    steps = options.num_days * options.steps_per_day
    observed = rng.uniform(size=(steps, options.num_sensors)) >= options.missing_share / 2
    outage = max(int(60 * _OUTAGE_HOURS / options.interval), 1)
    for sensor in range(options.num_sensors):
        count = rng.poisson(options.missing_share / 2 * steps / outage)
        lengths = rng.geometric(1 / outage, count)
        for start, length in zip(rng.integers(0, steps, count), lengths, strict=True):
            observed[start : start + length, sensor] = False
    silent = rng.permutation(options.num_sensors)[: options.silent_sensors]
    observed[:, silent] = False
    return observed
