"""Time formats: UTC offsets, daylight saving time, order of day and month, Unix times."""

import re
import warnings
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from traffic_samples import write_lines

from geozoo.data import TableForm, read_sensor_table


def read(folder, times, **options):
    """A table of one sensor, whose reading is the row index."""
    rows = [f"{moment},{number}" for number, moment in enumerate(times)]
    path = write_lines(folder / "mine.csv", "time,a", *rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_sensor_table(path, form=TableForm(**options))


def hours(count, start="2024-06-03 07:00", form="%Y-%m-%d %H:%M"):
    first = datetime.fromisoformat(start)
    return [(first + timedelta(hours=k)).strftime(form) for k in range(count)]


@pytest.mark.parametrize("offset", ["+07:00", "+0700", "+07", " +07:00", "-03:30"])
def test_an_offset_leaves_the_clock_of_the_text(tmp_path, offset):
    series = read(tmp_path, [f"{t.replace(' ', 'T')}:00{offset}" for t in hours(3)])
    assert str(series.times[0]) == "2024-06-03T07:00:00"
    assert (series.slot_of_day()[0], series.day_of_week()[0]) == (7, 0)  # Monday, not Sunday
    text = offset.strip().replace("0700", "07:00") if len(offset) > 3 else "+07:00"
    assert series.reading["utc_offsets"] == [text]
    assert series.notes[0].startswith(f"the UTC offset of the times ({text}) is dropped")


def test_utc_is_said_and_can_be_converted(tmp_path):
    given = [f"{t}:00Z" for t in hours(3)]
    series = read(tmp_path, given)
    assert series.slot_of_day()[0] == 7 and "times are in UTC" in series.notes[0]
    series = read(tmp_path, given, time_zone="Asia/Bangkok")
    assert str(series.times[0]) == "2024-06-03T14:00:00"
    assert "local time in Asia/Bangkok" in series.notes[0]


@pytest.mark.parametrize("as_unix", [False, True])
def test_daylight_saving_of_a_year(tmp_path, as_unix):
    zone, first = ZoneInfo("Europe/Berlin"), datetime(2023, 12, 31, 23, tzinfo=UTC)
    moments = [first + timedelta(hours=k) for k in range(366 * 24)]
    if as_unix:
        series = read(tmp_path, [int(m.timestamp()) for m in moments], time_zone="Europe/Berlin")
    else:
        series = read(tmp_path, [m.astimezone(zone).isoformat() for m in moments])
    assert series.reading["utc_offsets"] == ["+01:00", "+02:00"]
    assert len(series.times) == 366 * 24 and str(series.times[0]) == "2024-01-01T00:00:00"
    lost = series.times[~series.observed[:, 0]]
    assert [str(time) for time in lost] == ["2024-03-31T02:00:00"]
    assert any(
        note.startswith("1 rows in hours repeated at the end of daylight") for note in series.notes
    )
    at = int(np.flatnonzero(series.times == np.datetime64("2024-10-27T02:00"))[0])
    following = series.values[at : at + 2, 0, 0]
    assert following[1] - following[0] == 2  # the first pass is kept


def test_a_repeated_hour_without_offsets_is_reported(tmp_path):
    times = hours(3, "2024-10-27 00:00")
    with pytest.raises(ValueError, match="an hour repeats at the end of .* add the UTC offset"):
        read(tmp_path, [*times, times[-1], "2024-10-27 03:00"])
    quarters = [f"2024-10-27 02:{minute:02}" for minute in (0, 15, 30, 45)]
    with pytest.raises(ValueError, match="02:00:00 in step 4 is out of order.*an hour repeats"):
        read(tmp_path, [*quarters, *quarters])


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (["+07:00", "+07:00", "+00:00"], r"line 2 has .*\+07:00, line 4 has .*\+00:00"),
        (["+01:00", "+02:00", "+01:00"], "vary by more than daylight saving"),
        (["+01:00", "", "+01:00"], r"line 2 has .*\+01:00, line 3 has"),
    ],
)
def test_other_changes_of_the_offset_are_rejected(tmp_path, offsets, message):
    times = [t + offset for t, offset in zip(hours(3), offsets, strict=True)]
    with pytest.raises(ValueError, match=message):
        read(tmp_path, times)


@pytest.mark.parametrize(
    ("form", "is_day_first"),
    [
        ("%d/%m/%Y %H:%M", True), ("%m/%d/%Y %H:%M", False), ("%d.%m.%Y %H:%M:%S", True),
        ("%d-%m-%Y %H:%M", True), ("%m/%d/%Y %I:%M %p", False), ("%Y/%m/%d %H:%M", None),
        ("%Y-%m-%d %H:%M:%S", None), ("%Y-%m-%dT%H:%M:%S.000", None),
    ],
)  # fmt: skip
def test_common_forms_are_seen(tmp_path, form, is_day_first):
    series = read(tmp_path, hours(24 * 3, "2024-06-12 00:00", form))
    assert str(series.times[30]) == "2024-06-13T06:00:00" and series.interval == 60
    assert series.reading.get("day_first") is is_day_first


def test_the_24th_hour_is_midnight(tmp_path):
    """Counts labelled by the end of their hour have the last one of a day at 24:00."""
    ends = [f"2024-06-{day:02d} {hour:02d}:00" for day in (29, 30) for hour in range(1, 25)]
    series = read(tmp_path, ends)
    assert series.interval == 60
    assert len(series.times) == 48
    assert str(series.times[23]) == "2024-06-30T00:00:00"
    assert str(series.times[-1]) == "2024-07-01T00:00:00"
    with pytest.raises(ValueError, match="'2024-06-30 24:01' is not a time"):
        read(tmp_path, ["2024-06-30 23:01", "2024-06-30 24:01"])


def test_day_and_month_that_nothing_tells_apart(tmp_path):
    times = hours(24, "2024-02-01 00:00", "%d/%m/%Y %H:%M")
    message = 'set dataset.form.time_format="%d/%m/%Y %H:%M" (day first) or "%m/%d/%Y %H:%M"'
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, times)
    assert str(read(tmp_path, times, time_format="%d/%m/%Y %H:%M").times[0])[:10] == "2024-02-01"
    assert str(read(tmp_path, times, time_format="%m/%d/%Y %H:%M").times[0])[:10] == "2024-01-02"
    assert str(read(tmp_path, times, day_first=True).times[0])[:10] == "2024-02-01"
    pointed = [time.replace("/", ".") for time in times]
    assert str(read(tmp_path, pointed).times[0])[:10] == "2024-02-01"
    with pytest.raises(
        ValueError, match="order of day and month is inconsistent: line 2 has 31/01/2024"
    ):
        read(tmp_path, ["31/01/2024 00:00", "01/31/2024 01:00"])


def test_unix_seconds_and_milliseconds(tmp_path):
    first = 1717398000  # 2024-06-03 07:00 UTC
    for factor in (1, 1000):
        series = read(tmp_path, [factor * (first + 3600 * k) for k in range(3)])
        assert str(series.times[0]) == "2024-06-03T07:00:00"
        assert "times are in UTC" in series.notes[0]
    assert len(read(tmp_path, [first, first + 3600], time_format="unix").times) == 2
    with pytest.raises(ValueError, match="line 3: 'x' is not a Unix time in seconds"):
        read(tmp_path, [first, "x"])


def test_the_newest_row_first(tmp_path):
    series = read(tmp_path, hours(5)[::-1])
    assert series.values[:, 0, 0].tolist() == [4, 3, 2, 1, 0]
    assert str(series.times[0]) == "2024-06-03T07:00:00"
    assert series.notes[0] == "rows were in reverse chronological order and are reversed"


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        (hours(2), {"time_zone": "Europe/Berlin"}, "requires times with a UTC offset .* got"),
        (hours(2), {"time_format": "%d.%m.%Y"}, "line 2: '2024-06-03 07:00' does not match time_"),
        (["2024-06-03 07:00", "2024-13-03 07:00"], {}, "line 3: '2024-13-03 07:00' is not a time"),
        (["03.06.24 07:00"], {}, "for another format set dataset.form.time_format"),
    ],
)
def test_what_does_not_fit_is_reported(tmp_path, times, options, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, times, **options)
    with pytest.raises(ValueError, match="time_zone must be a zone name such as Europe/Berlin"):
        TableForm(time_zone="Berlin")
