"""The traffic simulator: reproducible, with predictive information upstream."""

import time
from dataclasses import replace

import numpy as np
import pytest

from geozoo.data.traffic._road_network import make_road_network, shortest_ways
from geozoo.data.traffic.series import day_of_week
from geozoo.data.traffic.simulator import TrafficOptions, simulate_parts, simulate_traffic

SMALL = TrafficOptions(num_sensors=12, num_days=3)


def deviation(parts, options, num_train):
    """Readings minus the training mean profile of working days and weekends."""
    readings, slots = parts.readings, options.steps_per_day
    times = np.datetime64(options.start) + np.arange(len(readings)) * np.timedelta64(5, "m")
    kind = np.arange(len(readings)) % slots + slots * (day_of_week(times) >= 5)
    sums = np.zeros((2 * slots, readings.shape[1]))
    np.add.at(sums, kind[:num_train], readings[:num_train])
    counts = np.bincount(kind[:num_train], minlength=2 * slots)
    return readings - (sums / counts[:, None])[kind]


def held_out_errors(options, steps, reach=25.0):
    """Mean absolute error of linear forecasts without and with upstream sensors."""
    parts = simulate_parts(options)
    num_train = int(0.7 * len(parts.rhythm))
    series = deviation(parts, options, num_train)
    series = series / series[:num_train].std()
    lags = np.stack([np.roll(series, lag, 0) for lag in range(12)], -1)
    ways = shortest_ways(parts.network.distances)
    errors = np.zeros(2)
    for sensor in range(options.num_sensors):
        upstream = np.flatnonzero(ways[:, sensor] < reach)
        wanted = np.roll(series[:, sensor], -steps)
        for way, used in enumerate(([sensor], upstream)):
            given = lags[:, used].reshape(len(series), -1)
            train, test = slice(12, num_train - steps), slice(num_train, len(series) - steps)
            square = given[train].T @ given[train] + np.eye(given.shape[1])
            weights = np.linalg.solve(square, given[train].T @ wanted[train])
            errors[way] += np.abs(wanted[test] - given[test] @ weights).mean()
    return errors


@pytest.mark.parametrize(("steps", "gain"), [(6, 0.198), (12, 0.119)])
def test_sensors_upstream_improve_a_forecast_as_the_text_says(steps, gain):
    alone, helped = held_out_errors(TrafficOptions(), steps)
    assert 1 - helped / alone == pytest.approx(gain, abs=0.005)


def test_without_waves_the_graph_is_of_no_use():
    alone, helped = held_out_errors(TrafficOptions(waves_per_day=0.0), 6)
    assert abs(1 - helped / alone) < 0.02


@pytest.mark.parametrize(
    ("quantity", "shares"),
    [("flow", (0.90, 0.11, 0.002, 0.02)), ("speed", (0.34, 0.41, 0.03, 0.05))],
)
def test_parts_carry_the_shares_that_the_text_says(quantity, shares):
    began = time.perf_counter()
    parts = simulate_parts(TrafficOptions(quantity=quantity))
    assert time.perf_counter() - began < 10
    each = (parts.rhythm, parts.waves, parts.incidents, parts.noise)
    found = [part.var(0).sum() / parts.readings.var(0).sum() for part in each]
    assert found == pytest.approx(shares, abs=0.006)


def test_readings_are_the_sum_of_the_parts():
    for quantity in ("flow", "speed"):
        options = replace(SMALL, quantity=quantity, missing_share=0.0)
        series, parts = simulate_traffic(options), simulate_parts(options)
        np.testing.assert_allclose(series.values[..., 0], parts.readings, rtol=1e-6)
        assert series.observed.all()


def test_series_is_complete():
    series = simulate_traffic(replace(SMALL, missing_share=0.1, silent_sensors=2))
    assert series.values.shape == (3 * 288, 12, 1)
    assert (series.features, series.units) == (("flow",), ("vehicles/5 min",))
    assert (series.values == np.round(series.values)).all() and series.values.min() == 0
    silent = ~series.observed.any(0)
    assert silent.sum() == 2
    assert 0.05 < 1 - series.observed[:, ~silent].mean() < 0.15
    assert any("2 sensors" in note and "never report" in note for note in series.notes)
    assert "seed 0" in series.source


def test_same_options_give_the_same_readings():
    first, second = simulate_traffic(SMALL), simulate_traffic(SMALL)
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.distances, second.distances)
    other = simulate_traffic(replace(SMALL, seed=1))
    assert not np.array_equal(first.distances, other.distances)


def test_parts_have_streams_of_their_own():
    full, calm = simulate_parts(SMALL), simulate_parts(replace(SMALL, waves_per_day=0.0))
    assert not calm.waves.any()
    assert np.array_equal(full.rhythm, calm.rhythm)
    assert np.array_equal(full.incidents, calm.incidents)


def test_waves_arrive_later_and_weaker_down_the_road():
    options = replace(SMALL, num_days=28, wave_reach=20.0)
    parts = simulate_parts(options)
    capacity = parts.rhythm.max(0)
    sender, receiver = np.argwhere(np.isfinite(parts.network.distances))[3]
    length = parts.network.distances[sender, receiver]
    # The first sensor of a road without a ramp to it has waves of its own only.
    waves = parts.waves / capacity
    delay = length / options.wave_speed * 60 / options.interval
    lags = range(0, 10)
    likeness = [
        np.corrcoef(waves[:-10, sender], np.roll(waves[:, receiver], -k)[:-10])[0, 1] for k in lags
    ]
    assert abs(int(np.argmax(likeness)) - delay) <= 1


@pytest.mark.parametrize("num_sensors", [2, 9, 40, 130])
def test_roads_are_directed_and_as_long_as_the_straight_line(num_sensors):
    network = make_road_network(num_sensors, np.random.default_rng(5))
    listed = np.isfinite(network.distances)
    assert not listed.diagonal().any()
    same_road = network.road[:, None] == network.road
    assert not (listed & listed.T & same_road).any()
    assert listed.sum() >= num_sensors - network.road.max() - 1
    assert (network.distances[listed] > 0).all()
    radians = np.deg2rad(network.coordinates)
    apart = (radians[:, None] - radians) * 6371 * np.array([1, np.cos(radians[0, 0])])
    straight = np.linalg.norm(apart, axis=-1)
    assert (network.distances[listed] > 0.98 * straight[listed]).all()


def test_shortest_ways():
    roads = np.full((4, 4), np.inf)
    roads[0, 1], roads[1, 2], roads[0, 2] = 1.0, 2.0, 5.0
    ways = shortest_ways(roads)
    assert ways[0].tolist() == [0.0, 1.0, 3.0, np.inf]
    assert ways[2].tolist() == [np.inf, np.inf, 0.0, np.inf]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_sensors": 1}, "num_sensors must be at least 2"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"num_days": 0}, "num_days must be at least 1"),
        ({"interval": 7}, "interval must divide"),
        ({"start": "soon"}, "start must be a local time"),
        ({"quantity": "density"}, "quantity must be one of"),
        ({"wave_speed": 0.0}, "wave_speed must be positive"),
        ({"wave_reach": float("nan")}, "wave_reach must be positive"),
        ({"noise": -0.1}, "noise must not be negative"),
        ({"missing_share": 1.0}, r"missing_share must be within \[0, 1\)"),
        ({"silent_sensors": 40}, r"silent_sensors must be in 0\.\.39, got 40"),
    ],
)
def test_options_that_describe_no_traffic_are_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        TrafficOptions(**changes)
