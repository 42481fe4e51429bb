"""Sensor series: validation and notes."""

import datetime

import numpy as np
import pytest
from traffic_samples import series

from geozoo.data.traffic.series import clock, gaps, with_quality_notes


def test_slots_and_days_follow_the_local_clock():
    made = series(steps=4, times=clock("2016-08-07T23:50", 4, 5))  # a Sunday
    assert made.steps_per_day == 288
    assert made.slot_of_day().tolist() == [286, 287, 0, 1]
    assert made.day_of_week().tolist() == [6, 6, 0, 0]
    assert made.slot_of_day().dtype == made.day_of_week().dtype == np.int64


def test_part_is_a_view_with_the_same_sensors():
    made = series()
    part = made.part(slice(3, 7))
    assert np.shares_memory(part.values, made.values)
    assert part.times.tolist() == made.times[3:7].tolist()
    assert part.sensor_ids == made.sensor_ids
    with pytest.raises(ValueError, match="without a stride"):
        made.part(slice(0, 6, 2))
    with pytest.raises(ValueError, match="steps must not be empty, .* of 12 steps"):
        made.part(slice(12, 14))


@pytest.mark.parametrize(
    "start",
    [
        "2016-07-01",
        "2016-07-01 00:00",
        "2016-07-01T00:00:00",
        datetime.date(2016, 7, 1),
        np.datetime64("2016-07-01"),
    ],
)
def test_clock_takes_local_times(start):
    assert [str(time) for time in clock(start, 2, 5)] == [
        "2016-07-01T00:00:00",
        "2016-07-01T00:05:00",
    ]


@pytest.mark.parametrize(
    "start", ["now", "today", "2016-13-01", "2016-07-01T00:00Z", "2016-07-01T00:00-08:00", "", 5]
)
def test_clock_refuses_what_is_no_local_time(start):
    with pytest.raises(ValueError, match="start must be a local time"):
        clock(start, 2, 5)


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (7, "must divide the 1440 minutes"),
        (0, "positive whole number"),
        (2.5, "positive whole number"),
        (True, "positive whole number"),
    ],
)
def test_interval_must_divide_the_day(interval, message):
    with pytest.raises(ValueError, match=message):
        series(interval=interval)


def spoiled(field, place, value):
    array = np.array(getattr(series(), field))
    array[place] = value
    return {field: array}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            spoiled("values", (4, 1, 0), np.nan),
            r"got nan in step 4 \(2024-01-01T00:20:00\), sen.*1",
        ),
        (spoiled("values", (0, 0, 0), np.inf), "got inf in step 0"),
        (spoiled("observed", (4, 1), False), "must be 0 where it was not observed, got 14.0 in st"),
        (spoiled("times", 5, clock("2024-01-01", 5, 5)[-1]), r"00:20:00 in step 5 is repeated"),
        (spoiled("times", 5, np.datetime64("2023-01-01")), "step 5 is out of order"),
        (spoiled("times", 5, np.datetime64("2024-01-01T00:26")), "step 5 is not a multiple of 5"),
        (spoiled("times", 5, np.datetime64("NaT", "s")), "step 5 has no time"),
        ({"values": np.ones((12, 3), np.float32)}, "values must have shape"),
        ({"values": np.ones((12, 0, 1), np.float32)}, "values must have shape"),
        ({"values": np.ones((12, 3, 1))}, "values must be float32"),
        ({"observed": np.ones((12, 2), bool)}, r"observed must be bool of shape \(12, 3\)"),
        ({"times": clock("2024-01-01", 11, 5)}, r"times must be datetime64\[s\] of shape \(12,\)"),
        ({"features": ("flow", "speed")}, "features must have 1 entries"),
        ({"sensor_ids": ("a", "b")}, "sensor_ids must have 3 entries"),
        ({"sensor_ids": ("a", "b", "a")}, "'a' occurs twice"),
        ({"sensor_ids": ("a", "b", "")}, "sensor_ids must be non-empty strings"),
        ({"adjacency": np.ones((2, 2), np.float32)}, r"adjacency must be .*\(3, 3\), got .*\(2, 2"),
        ({"adjacency": -np.ones((3, 3), np.float32)}, "adjacency must be finite and non-negative"),
        ({"distances": np.full((3, 3), np.nan)}, "distances must not be negative, got nan"),
        ({"distances": np.full((3, 3), -1.0)}, "got -1.0 from s0 to s0"),
        ({"coordinates": np.full((3, 2), 95.0)}, "coordinates must be latitude within 90"),
        ({"coordinates": np.full((3, 2), np.nan)}, "coordinates must be latitude within 90"),
    ],
)
def test_series_that_does_not_fit_together_is_rejected(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        series(**changes)
    assert str(error.value).startswith("sample: ")


def test_the_first_fault_of_the_clock_is_reported():
    times = series().times.copy()
    times[9], times[4] = times[8], times[3]
    with pytest.raises(ValueError, match="in step 4 is repeated"):
        series(times=times)


def test_notes_tell_gaps_missing_and_dull_sensors():
    made = series(steps=6, sensors=4)
    times = made.times.copy()
    times[3:] += np.timedelta64(3600, "s")
    values, observed = made.values.copy(), made.observed.copy()
    values[:, 1], observed[:, 1] = 0, False
    values[2, 2], observed[2, 2] = 0, False
    values[:, 3] = 7
    made = with_quality_notes(
        series(6, 4, times=times, values=values, observed=observed, notes=("own",))
    )
    assert made.notes == (
        "own",
        "12 steps are absent between 2024-01-01T00:10:00 and 2024-01-01T01:15:00",
        "7 of 24 target entries are missing (29.2 %)",
        "1 sensors (s1) never report",
        "1 sensors (s3) always report the same value",
    )
    assert gaps(made.times, 5)[0][2] == 12
