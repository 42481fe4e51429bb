"""Sentinel values of missing readings."""

import logging

import numpy as np
import pytest
from test_absent_rows import error_of, loaded
from traffic_samples import write_lines

from geozoo.data import outlying_values, read_sensor_table
from geozoo.models import HistoricalAverage

RANDOM = np.random.default_rng(0)


def table(path, stands_for_missing):
    """Two sensors with a daily rhythm and 10 % missing readings."""
    random = np.random.default_rng(0)
    lines = ["time,a,b"]
    for hour in range(24 * 42):
        moment = np.datetime64("2024-06-03T00:00") + np.timedelta64(hour, "h")
        cells = 40 + 20 * np.sin(2 * np.pi * hour / 24) + random.normal(0, 1, 2)
        gone = random.random(2) < 0.1
        texts = [stands_for_missing if g else f"{c:.3f}" for c, g in zip(cells, gone, strict=True)]
        lines.append(f"{moment},{','.join(texts)}")
    return write_lines(path, *lines)


def average(data):
    return error_of(data, HistoricalAverage(2, 24, 12), 3)


def test_a_number_that_stands_for_missing_is_no_reading(tmp_path):
    expected = average(loaded(table(tmp_path / "empty.csv", "")))
    path = table(tmp_path / "t.csv", "-9999")
    assert average(loaded(path, missing=[-9999])) == pytest.approx(expected)
    assert expected < 1.0 < 1000.0 < average(loaded(path))
    series = read_sensor_table(path, missing=[-9999, -1])
    assert series.reading["missing"] == [-9999, -1]
    assert not series.observed.all() and (series.values >= 0).all()


@pytest.mark.parametrize("number", ["-9999", "-1", "999", "65535"])
def test_a_number_far_outside_is_reported(tmp_path, number, caplog):
    path = table(tmp_path / "t.csv", number)
    with caplog.at_level(logging.WARNING, logger="geozoo"):
        _ = loaded(path).series
    assert len(caplog.records) == 1
    assert f"the value {number} (" in caplog.text and f"dataset.missing=[{number}]" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="geozoo"):
        _ = loaded(path, missing=[float(number)]).series
    assert not caplog.records


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.concatenate([RANDOM.normal(50, 10, 5000), [-1, -1, -1, -9999]]), [(-9999, 1), (-1, 3)]),
        (RANDOM.poisson(3, 5000), []),
        (RANDOM.gamma(2, 30, 5000), []),
        (RANDOM.normal(0, 10, 5000), []),
        ([7.0] * 40 + [8.0], []),
        ([*range(19), -9999], []),
        ([np.nan, *range(20), -9999], [(-9999, 1)]),
        ([], []),
    ],
)
def test_the_rule(values, expected):
    assert outlying_values(values) == expected


@pytest.mark.parametrize("missing", [["x"], [float("nan")], [True]])
def test_what_is_no_number_is_rejected(tmp_path, missing):
    with pytest.raises(ValueError, match="missing must be a list of numbers"):
        read_sensor_table(table(tmp_path / "t.csv", ""), missing=missing)
