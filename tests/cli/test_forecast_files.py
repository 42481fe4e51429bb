"""Forecasts as tables: every number under its sensor, with all its digits."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from geozoo.cli._forecast_files import write_forecast
from geozoo.hub.forecasts import Forecast

NAMES = ("Main St, north", 'a "q" b', "c\nd")


def forecast_of(values, names=NAMES, *, quantiles=None, spread=None):
    times = np.datetime64("2024-03-22T00:00:00") + np.arange(len(values)) * np.timedelta64(1, "h")
    return Forecast(times, values, quantiles, spread, names)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_come_back_under_their_sensor(kind, tmp_path):
    values = np.array([[5664610.929, 1 / 3, -0.0], [1e-12, 1.7e30, 16777217.0]], kind)
    quantiles = {0.025: values / 3, 0.5: values}
    path = tmp_path / "out.csv"
    write_forecast(forecast_of(values, quantiles=quantiles, spread=values / 7), path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    ends = ("", "_q2.5", "_q50", "_std")
    assert rows[0] == ["time", *(f"{name}{end}" for end in ends for name in NAMES)]
    assert [row[0] for row in rows[1:]] == ["2024-03-22T00:00:00", "2024-03-22T01:00:00"]
    found = np.array([row[1:] for row in rows[1:]], float).astype(kind)
    expected = np.concatenate([values, values / 3, values, values / 7], 1)
    np.testing.assert_array_equal(found, expected)


def test_numbers_are_short_where_they_can_be(tmp_path):
    write_forecast(forecast_of(np.float32([[5664610.5, 0.1, 42.75]])), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().endswith("00:00:00,5664610.5,0.1,42.75\n")


@pytest.mark.parametrize(("names", "twice"), [(("a", "a_std"), "a_std"), (("time", "b"), "time")])
def test_columns_of_one_name_are_refused(names, twice, tmp_path):
    values = np.zeros((1, 2))
    with pytest.raises(ValueError, match=f"out.csv would have two columns named '{twice}'"):
        write_forecast(forecast_of(values, names, spread=values), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
