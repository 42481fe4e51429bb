"""Table formats: separators, decimal marks, index and text columns, the long format."""

import numpy as np
import pytest
from traffic_samples import write_lines

from geozoo.data import TableForm, read_sensor_table

PLAIN = ["time,a,b", "2024-06-03 07:00,1.5,20", "2024-06-03 08:00,2.5,", "2024-06-03 09:00,3.5,40"]


def read(folder, *lines, **options):
    return read_sensor_table(write_lines(folder / "mine.csv", *lines), form=TableForm(**options))


def same(series, expected):
    assert series.sensor_ids == expected.sensor_ids
    np.testing.assert_array_equal(series.times, expected.times)
    np.testing.assert_array_equal(series.values, expected.values)
    np.testing.assert_array_equal(series.observed, expected.observed)


@pytest.fixture
def plain(tmp_path):
    return read(tmp_path, *PLAIN)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_decimal_commas(tmp_path, plain, separator):
    lines = [line.replace(",", separator) for line in PLAIN]
    same(read(tmp_path, *lines), plain)
    same(read(tmp_path, *[line.replace(".", ",") for line in lines]), plain)
    quoted = [PLAIN[0], *(line.replace("1.5", '"1,5"') for line in PLAIN[1:2])]
    with pytest.raises(ValueError, match="a: '1,5' is not a number; dataset.form.decimal=','"):
        read(tmp_path, *quoted, decimal=".")


def test_another_separator_than_the_one_of_the_table_is_reported(tmp_path):
    with pytest.raises(
        ValueError, match="the separator ';' the header has only one column, 'time,a"
    ):
        read(tmp_path, *PLAIN, separator=";")
    with pytest.raises(ValueError, match="there is no column ''; available: time, a, b"):
        read(tmp_path, *PLAIN, time_column="")


def test_commas_that_may_be_thousands_are_reported(tmp_path):
    lines = ["time;a;b", "2024-06-03 07:00;1,234;20", "2024-06-03 08:00;5,678;30"]
    with pytest.raises(ValueError, match="line 2: the comma in '1,234' may be .* thousands"):
        read(tmp_path, *lines)
    assert read(tmp_path, *lines, decimal=",").values[0, 0, 0] == np.float32(1.234)
    lines[2] = "2024-06-03 08:00;1.234,5;30"
    with pytest.raises(ValueError, match=r"line 3, sensor a: '1.234,5' is not a number"):
        read(tmp_path, *lines, decimal=",")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_a_column_that_counts_the_rows_is_excluded(tmp_path, plain, name):
    lines = [f"{name},{PLAIN[0]}", *(f"{k},{line}" for k, line in enumerate(PLAIN[1:]))]
    same(read(tmp_path, *lines), plain)


def test_the_index_of_pandas(tmp_path, plain):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(write_lines(tmp_path / "p.csv", *PLAIN), index_col=0, parse_dates=True)
    frame.index.name = None
    frame.to_csv(tmp_path / "q.csv")
    same(read_sensor_table(tmp_path / "q.csv"), plain)
    frame.tz_localize("Asia/Bangkok").to_csv(tmp_path / "q.csv", sep=";", decimal=",")
    same(read_sensor_table(tmp_path / "q.csv"), plain)


def test_text_columns_and_times_elsewhere_are_reported(tmp_path, plain):
    lines = [f"weather,{PLAIN[0]}", *(f"rain,{line}" for line in PLAIN[1:])]
    with pytest.raises(ValueError, match="the column 'time' looks like times: set dataset.form.t"):
        read(tmp_path, *lines)
    with pytest.raises(
        ValueError, match=r"weather: 'rain' is not a number; dataset.form.drop=\[weather\]"
    ):
        read(tmp_path, *lines, time_column="time")
    same(read(tmp_path, *lines, time_column="time", drop=["weather"]), plain)
    with pytest.raises(
        ValueError, match="there is no column 'wether'; available: weather, time, a, b"
    ):
        read(tmp_path, *lines, time_column="time", drop=["wether"])


def test_the_long_form(tmp_path, plain):
    lines = ["sensor,time,speed"]
    for line in PLAIN[1:]:
        moment, *cells = line.split(",")
        lines += [f"{name},{moment},{cell}" for name, cell in zip("ab", cells, strict=True) if cell]
    options = {"sensor_column": "sensor", "value_column": "speed", "time_column": "time"}
    same(read(tmp_path, *lines, **options), plain)
    same(read(tmp_path, lines[0], *lines[1:3], *lines[:2:-1], **options), plain)
    with pytest.raises(
        ValueError, match=r"line 7: sensor a at 2024-06-03 07:00 already occurs in "
    ):
        read(tmp_path, *lines, "a,2024-06-03 07:00,9", **options)
    with pytest.raises(
        ValueError, match="times repeat, 3 of them in 5 rows.*dataset.form.sensor_column"
    ):
        read(tmp_path, *lines, time_column="time")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ";;"}, "separator must be a single character"),
        ({"decimal": ";"}, "decimal must be"),
        ({"drop": "weather"}, "drop must be a list"),
        ({"sensor_column": "a"}, "requires both sensor_column and value_column"),
    ],
)
def test_forms_that_no_table_has(options, message):
    with pytest.raises(ValueError, match=message):
        TableForm(**options)


@pytest.mark.parametrize("clock", ["clock", "b"])
def test_date_and_clock_in_two_columns(tmp_path, plain, clock):
    halves = [line.replace(" ", ",") for line in PLAIN[1:]]
    header = f"date,{clock},a,b".replace("a,b", "a,c") if clock == "b" else "date,clock,a,b"
    message = f"'{clock}' holds the time of day .07:00.: set dataset.form.clock_column={clock}"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, header, *halves)
    series = read(tmp_path, header, *halves, clock_column=clock)
    np.testing.assert_array_equal(series.times, plain.times)
    np.testing.assert_array_equal(series.values, plain.values)
    moved = [",".join([*line.split(",")[2:], *line.split(",")[:2]]) for line in (header, *halves)]
    series = read(tmp_path, *moved, clock_column=clock, time_column="date")
    np.testing.assert_array_equal(series.times, plain.times)
    np.testing.assert_array_equal(series.values, plain.values)
    with pytest.raises(ValueError, match="there is no column 'hour'"):
        read(tmp_path, header, *halves, clock_column="hour")
