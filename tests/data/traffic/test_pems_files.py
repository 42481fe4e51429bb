"""PEMS files: readings, roads by index or station id, and errors."""

import numpy as np
import pytest
from traffic_samples import write_lines

from geozoo.data.traffic._pems_files import find_pems, read_pems
from geozoo.files.names import find_file

FLOW = np.arange(24.0).reshape(4, 3, 2)[..., :1]


@pytest.fixture
def readings(tmp_path):
    np.savez_compressed(tmp_path / "PEMS08.npz", data=FLOW)
    return tmp_path / "PEMS08.npz"


def read(path, **options):
    return read_pems(path, **{"start": "2016-07-01", **options})


def test_flow_is_read_with_roads_in_the_listed_direction(readings, tmp_path):
    roads = write_lines(tmp_path / "PEMS08.csv", "from,to,cost", "0,2,310.6", "2,1,0.5", "1,1,0")
    series = read(readings, edges=roads)
    assert series.values.dtype == np.float32
    assert np.array_equal(series.values, FLOW)
    assert series.observed.all()
    assert series.times[-1] == np.datetime64("2016-07-01T00:15")
    assert (series.features, series.units) == (("flow",), ("vehicles/5 min",))
    assert series.sensor_ids == ("0", "1", "2")
    expected = np.full((3, 3), np.inf)
    expected[0, 2], expected[2, 1], expected[1, 1] = 310.6, 0.5, 0.0
    assert np.array_equal(series.distances, expected)


def test_zeros_are_readings_unless_told_otherwise(readings):
    series = read(readings, zero_is_missing=True)
    assert series.observed.sum() == 11 and not series.observed[0, 0]
    assert "1 of 12 target entries are missing (8.33 %)" in series.notes


def test_three_features_have_names_and_two_need_them(tmp_path):
    np.savez(tmp_path / "three.npz", data=np.ones((4, 2, 3)))
    series = read(tmp_path / "three.npz")
    assert series.features == ("flow", "occupancy", "speed")
    assert series.units == ("vehicles/5 min", "1", "mph")
    np.savez(tmp_path / "two.npz", data=np.ones((4, 2, 2)))
    with pytest.raises(ValueError, match="features must be given, since data has 2"):
        read(tmp_path / "two.npz")
    assert read(tmp_path / "two.npz", features=("a", "flow")).units == ("1", "vehicles/5 min")
    with pytest.raises(ValueError, match="units must have 2 entries"):
        read(tmp_path / "two.npz", features=("a", "b"), units=("1",))


@pytest.mark.parametrize("line", ["317842,318711,0.872", "0,1,0.872"])
def test_roads_between_station_ids_or_places(readings, tmp_path, line):
    ids = write_lines(tmp_path / "PEMS03.txt", "317842", "318711", "313344", "")
    # The published list ends its lines with two carriage returns.
    roads = tmp_path / "PEMS03.csv"
    roads.write_bytes(f"from,to,distance\r\r\n{line}\r\r\n".encode())
    series = read(readings, edges=roads, sensor_ids=ids)
    assert series.sensor_ids == ("317842", "318711", "313344")
    assert series.distances[0, 1] == 0.872 and np.isfinite(series.distances).sum() == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["from,to,cost", "0,1,2", "0,3,1"], "line 3: sensor '3' is not in the list, which is 0 t"),
        (["from,to,cost", "317842,1,2"], "line 2: sensor '317842' .*sensor_ids must be given"),
        (["from,to,cost", "0,-1,2"], "line 2: sensor '-1'"),
        (["from,to,cost", "0,1,2", "1,2,-3"], "line 3: distance must not be negative, got -3"),
        (["from,to,cost", "0,1,nan"], "line 2: distance must not be negative, got nan"),
        (["from,to,cost", "0,1,far"], "line 2: 'far' is not a number"),
        (
            ["from,to,cost", "0,1,2", "1,2"],
            "line 3: 2 cells instead of 3; is the file trunc",
        ),
        (["a,b,c", "0,1,2"], "the header must be from,to,cost"),
        (["0,1,2", "1,2,3"], "the header must be from,to,cost"),
        (["from,to,cost"], "at least one row"),
    ],
)
def test_bad_roads_are_reported_with_file_and_line(readings, tmp_path, lines, message):
    roads = write_lines(tmp_path / "roads.csv", *lines)
    with pytest.raises(ValueError, match=rf"roads.csv.*{message}"):
        read(readings, edges=roads)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"flow": FLOW}, "it lacks data; it has flow"),
        ({"data": FLOW[..., 0]}, r"of shape \[steps, sensors, features\], got float64 of shape"),
        ({"data": FLOW.astype(str)}, "expected real numbers"),
        ({"data": FLOW[:0]}, "of shape"),
        ({"data": np.array([{}], dtype=object)}, "it holds Python objects"),
        ({"data": np.where(FLOW == 14, np.nan, FLOW)}, "got nan in step 2 .*, sensor 1, feature f"),
        ({"data": FLOW + 1e300}, "got inf in step 0"),
    ],
)
def test_bad_readings_are_reported(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=rf"bad.npz.*{message}"):
        read(tmp_path / "bad.npz")


def test_corrupt_and_missing_files_are_reported(readings, tmp_path):
    content = readings.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        readings.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"PEMS08.npz is corrupt or not an npz file"):
            read(readings)
    np.save(tmp_path / "single.npy", FLOW)
    with pytest.raises(ValueError, match="it is a single array"):
        read(tmp_path / "single.npy")
    with pytest.raises(FileNotFoundError, match="absent.npz"):
        read(tmp_path / "absent.npz")


def test_ids_must_be_as_many_as_sensors(readings, tmp_path):
    ids = write_lines(tmp_path / "PEMS03.txt", "317842", "318711")
    with pytest.raises(ValueError, match="PEMS03.txt: expected 3 ids.*PEMS08.npz; got 2"):
        read(readings, sensor_ids=ids)
    with pytest.raises(FileNotFoundError, match="absent.txt"):
        read(readings, sensor_ids=tmp_path / "absent.txt")
    write_lines(ids, "317842", "318711", "317842")
    with pytest.raises(ValueError, match="'317842' occurs twice"):
        read(readings, sensor_ids=ids)


@pytest.mark.parametrize(
    "names",
    [("PEMS08.npz", "PEMS08.csv"), ("pems08.npz", "distance.csv"), ("data.npz", "PEMS08.CSV")],
)
def test_files_are_found_under_their_names(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    paths = find_pems(tmp_path, "PEMS08")
    assert (paths.series.name, paths.edges.name, paths.sensor_ids) == (*names, None)


def test_what_is_not_found_is_listed(tmp_path):
    (tmp_path / "PEMS03.npz").touch()
    with pytest.raises(FileNotFoundError) as error:
        find_pems(tmp_path, "PEMS03")
    for text in (str(tmp_path), "PEMS03.csv", "distance.csv", "PEMS03_distance.csv"):
        assert text in str(error.value)
    (tmp_path / "PEMS03.csv").touch()
    with pytest.raises(FileNotFoundError, match="station ids of PEMS03: .*PEMS03.txt"):
        find_pems(tmp_path, "PEMS03", has_station_ids=True)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        find_file(tmp_path / "absent", ["a"], "a")


def test_exact_spelling_goes_first(tmp_path):
    (tmp_path / "A.csv").touch()
    (tmp_path / "a.csv").touch()
    if len(list(tmp_path.iterdir())) == 2:  # not on file systems without upper and lower case
        assert find_file(tmp_path, ["a.csv"], "a").name == "a.csv"


def test_published_road_lists(shared_folder, tmp_path):
    folder = shared_folder / "data" / "traffic" / "sensor_graphs"
    for name, sensors, roads in (("PEMS03", 358, 547), ("PEMS04", 307, 340), ("PEMS07", 883, 866)):
        np.savez(tmp_path / "x.npz", data=np.ones((2, sensors, 1)))
        series = read(tmp_path / "x.npz", edges=folder / f"{name}_distance.csv")
        assert np.isfinite(series.distances).sum() == roads
    np.savez(tmp_path / "x.npz", data=np.ones((2, 358, 1)))
    by_place = read(tmp_path / "x.npz", edges=folder / "PEMS03_distance.csv")
    by_id = read(
        tmp_path / "x.npz",
        edges=folder / "PEMS03_distance_station_ids.csv",
        sensor_ids=folder / "PEMS03_sensor_ids.txt",
    )
    np.testing.assert_allclose(by_place.distances, 100 * by_id.distances)
