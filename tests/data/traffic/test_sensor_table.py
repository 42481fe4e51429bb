"""User-supplied tables: times, missing cells, roads, coordinates, weights."""

import warnings

import numpy as np
import pytest
from traffic_samples import write_lines

from geozoo.data import read_sensor_table

ROWS = [
    "time,a,b,c",
    "2024-01-01 00:00,1,2,3",
    "2024-01-01 00:15,4,,6",
    "2024-01-01T00:30:00,7,nan,0",
    "2024-01-01 01:30,10,11,12",
]


@pytest.fixture
def table(tmp_path):
    return write_lines(tmp_path / "mine.csv", *ROWS)


def test_times_missing_cells_and_gaps(table):
    series = read_sensor_table(table, feature="speed", unit="km/h")
    assert series.interval == 15
    assert series.sensor_ids == ("a", "b", "c")
    absent = [[step, sensor] for step in (3, 4, 5) for sensor in range(3)]
    assert np.argwhere(~series.observed).tolist() == [[1, 1], [2, 1], *absent]
    assert series.values[..., 0].tolist()[1:4] == [[4, 0, 6], [7, 0, 0], [0, 0, 0]]
    assert (series.features, series.units, series.source) == (("speed",), ("km/h",), "mine.csv")
    assert series.notes[0] == (
        "3 of 7 steps have no row and count as unobserved, in 1 gap, the longest between "
        "2024-01-01T00:30:00 and 2024-01-01T01:30:00 (3 steps)"
    )
    closed = read_sensor_table(table, absent_rows="closed")
    assert len(closed.times) == 4 and "3 steps are absent between" in closed.notes[0]
    assert not read_sensor_table(table, zero_is_missing=True).observed[2, 2]


def test_a_reading_too_large_for_its_precision_is_reported(tmp_path):
    path = write_lines(tmp_path / "mine.csv", *ROWS[:-1], "2024-01-01 01:30,10,1e40,12")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="must be finite, got inf in step 3 .* sensor b"):
            read_sensor_table(path, absent_rows="closed")


def test_table_without_times(tmp_path):
    path = write_lines(tmp_path / "los_speed.csv", "773869,767541", "64.375,67.625", "62,60")
    series = read_sensor_table(path, start="2012-03-01", interval=5)
    assert series.sensor_ids == ("773869", "767541")
    assert series.times[1] == np.datetime64("2012-03-01T00:05")
    assert series.values.shape == (2, 2, 1)
    with pytest.raises(ValueError, match="start requires interval"):
        read_sensor_table(path, start="2012-03-01")
    with pytest.raises(ValueError, match="los_speed.csv: the first column must hold times"):
        read_sensor_table(path)


def test_roads_coordinates_and_weights(table, tmp_path):
    series = read_sensor_table(
        table,
        edges=write_lines(tmp_path / "roads.csv", "from,to,cost", "c,a,1.5"),
        coordinates=write_lines(
            tmp_path / "places.csv",
            "sensor_id,latitude,longitude",
            "b,2,20",
            "a,1,10",
            "c,3,30",
            "d,4,40",
        ),
        adjacency=write_lines(tmp_path / "weights.csv", "0,1,0", "1,0,0.5", "0,0.25,0"),
    )
    assert series.distances[2, 0] == 1.5 and np.isfinite(series.distances).sum() == 1
    assert series.coordinates.tolist() == [[1, 10], [2, 20], [3, 30]]
    assert series.adjacency.tolist() == [[0, 1, 0], [1, 0, 0.5], [0, 0.25, 0]]


def test_dull_sensors_are_noted(tmp_path):
    rows = ["time,a,b,c", "2024-01-01 00:00,1,,5", "2024-01-01 00:05,2,,5"]
    notes = read_sensor_table(write_lines(tmp_path / "t.csv", *rows)).notes
    assert "1 sensors (b) never report" in notes
    assert "1 sensors (c) always report the same value" in notes


@pytest.mark.parametrize(
    ("place", "line", "message"),
    [
        (0, "time,a,b,a", "mine.csv: sensor_ids must be distinct, but 'a' occurs twice"),
        (2, "2024-01-01 00:15,4,x,6", "line 3, sensor b: 'x' is not a number"),
        (2, "2024-01-01 00:15,4,inf,6", "got inf in step 1"),
        (2, "2024-01-01 00:00,4,5,6", "in step 1 is repeated"),
        (2, "2023-12-31 00:00,4,5,6", "in step 1 is out of order"),
        (2, "2024-01-01 00:15,4,5", "line 3: 3 cells instead of 4; is the file truncated"),
        (4, "2024-01-01 01:30,10", "line 5: 2 cells instead of 4"),
        (2, "yesterday,4,5,6", "the first column must hold times"),
    ],
)
def test_bad_tables_are_reported(tmp_path, place, line, message):
    rows = [*ROWS[:place], line, *ROWS[place + 1 :]]
    path = write_lines(tmp_path / "mine.csv", *rows)
    with pytest.raises(ValueError, match=message) as error:
        read_sensor_table(path)
    assert "mine.csv" in str(error.value)


@pytest.mark.parametrize(
    ("option", "lines", "message"),
    [
        ("edges", ["from,to,cost", "a,z,1"], "line 2: sensor 'z' is not in the list"),
        ("edges", ["from,to,cost", "a,b,-1"], "line 2: distance must not be negative, got -1"),
        (
            "coordinates",
            ["sensor_id,latitude,longitude", "a,1,2"],
            "2 sensors have no line; the first is 'b'",
        ),
        ("coordinates", ["id,latitude,longitude", "a,1,2"], r"columns \['sensor_id'\] are missing"),
        ("coordinates", ["sensor_id,latitude,longitude", "a,x,2"], "line 2: 'x' is not a number"),
        ("adjacency", ["0,1", "1,0"], r"weights must have shape \(3, 3\), got \(2, 2\)"),
        ("adjacency", ["0,1,0", "1,0"], "2 cells instead of 3"),
        ("adjacency", ["a,b,c", "1,0,0"], "is not a number"),
        ("adjacency", ["0,-1,0", "1,0,0", "0,0,0"], "got -1.0 in row 0, column 1"),
        ("adjacency", ["0,nan,0", "1,0,0", "0,0,0"], "got nan in row 0, column 1"),
    ],
)
def test_bad_companions_are_reported(table, tmp_path, option, lines, message):
    with pytest.raises(ValueError, match=message):
        read_sensor_table(table, **{option: write_lines(tmp_path / "list.csv", *lines)})
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        read_sensor_table(table, **{option: tmp_path / "absent.csv"})


def test_missing_and_empty_tables_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        read_sensor_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="a header and at least one row"):
        read_sensor_table(write_lines(tmp_path / "t.csv", "time,a"))
