"""METR-LA and PEMS-BAY files: pandas tables, pickled graphs, lists of roads and locations."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from traffic_samples import five_minutes, write_frame, write_graph, write_lines

from geozoo.data.traffic._dcrnn_files import find_dcrnn, read_dcrnn
from geozoo.files.pandas_hdf import read_fixed_frame

h5py = pytest.importorskip("h5py")

IDS = ["773869", "767541", "717447"]
SPEED = np.arange(1.0, 19.0).reshape(6, 3)
TIMES = five_minutes("2012-03-01", 6)


@pytest.fixture
def table(tmp_path):
    return write_frame(tmp_path / "metr-la.h5", "df", SPEED, TIMES, np.array(IDS, "S6"))


def test_readings_times_and_missing(tmp_path):
    speed = SPEED.copy()
    speed[2, 1], speed[3, 0] = 0.0, np.nan
    path = write_frame(tmp_path / "a.h5", "df", speed, TIMES, np.array(IDS, "S6"))
    series = read_dcrnn(path)
    assert series.sensor_ids == tuple(IDS)
    assert np.argwhere(~series.observed).tolist() == [[2, 1], [3, 0]]
    assert series.values[2, 1, 0] == series.values[3, 0, 0] == 0
    assert series.times.dtype == "datetime64[s]"
    assert (series.times == TIMES.astype("datetime64[s]")).all()
    assert series.notes == ("2 of 18 target entries are missing (11.1 %)",)
    assert read_dcrnn(path, zero_is_missing=False).observed.sum() == 17


@pytest.mark.parametrize(
    "columns",
    [
        np.array(IDS, "S6"),
        np.array(IDS, np.int64),
        pickle.dumps(np.array(IDS, dtype=object), 2),
        pickle.dumps(np.array([int(name) for name in IDS], dtype=object), 4),
    ],
    ids=["bytes", "numbers", "pickled texts", "pickled numbers"],
)
def test_names_of_columns_in_all_forms(tmp_path, columns):
    path = write_frame(tmp_path / "a.h5", "speed", SPEED, TIMES, columns)
    frame = read_fixed_frame(path, "speed")
    assert frame.columns == tuple(IDS)
    assert np.array_equal(frame.values, SPEED)


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_in_the_table_do_not_run(tmp_path):
    trace = tmp_path / "trace"
    hostile = pickle.dumps(Touch(trace), 0)
    path = write_frame(tmp_path / "names.h5", "df", SPEED, TIMES, hostile)
    with pytest.raises(ValueError, match="names.h5 cannot be read .*refers to"):
        read_dcrnn(path)
    for number, place in enumerate(("/", "/df", "/df/axis0", "/df/axis1", "/df/block0_values")):
        for name in ("CLASS", "TITLE", "FLAVOR", "pandas_type", "kind", "tz", "transposed"):
            path = tmp_path / f"{number}{name}.h5"
            write_frame(path, "df", SPEED, TIMES, np.array(IDS, "S6"))
            with h5py.File(path, "a") as file:
                file[place].attrs[name] = np.bytes_(hostile)
            try:
                read_dcrnn(path)
            except ValueError as error:
                assert path.name in str(error)
            assert not trace.exists()


def test_clock_hour_that_daylight_saving_skips_is_noted(tmp_path):
    times = TIMES.copy()
    times[3:] += np.timedelta64(3600, "s")
    path = write_frame(tmp_path / "a.h5", "df", SPEED, times, np.array(IDS, "S6"))
    assert read_dcrnn(path).notes[0] == (
        "12 steps are absent between 2012-03-01T00:10:00 and 2012-03-01T01:15:00"
    )


@pytest.mark.parametrize(("place", "word"), [(3, "repeated"), (0, "out of order")])
def test_clock_that_goes_back_is_rejected(tmp_path, place, word):
    times = TIMES.copy()
    times[4] = times[place]
    path = write_frame(tmp_path / "a.h5", "df", SPEED, times, np.array(IDS, "S6"))
    with pytest.raises(ValueError, match=f"a.h5: times must increase .* in step 4 is {word}"):
        read_dcrnn(path)


def test_graph_is_brought_into_the_order_of_the_columns(table, tmp_path):
    weights = np.arange(9, dtype=np.float32).reshape(3, 3)
    order = [2, 0, 1]
    for protocol in (0, 2, 5):
        graph = write_graph(
            tmp_path / "adj_mx.pkl",
            [IDS[i] for i in order],
            weights[np.ix_(order, order)],
            protocol,
        )
        assert np.array_equal(read_dcrnn(table, adjacency=graph).adjacency, weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((IDS[:2] + ["1"], np.eye(3)), r"lacks 1 of .*\(717447\) and has 1 others \(1\)"),
        ((IDS[:2], np.eye(2)), r"lacks 1 of .*\(717447\) and has 0 others"),
        ((IDS, np.eye(2)), r"weights must have shape \(3, 3\)"),
        ((IDS, np.ones(3)), r"weights must have shape \(3, 3\)"),
        ((IDS, -np.eye(3)), "finite and non-negative, got -1.0 in row 0, column 0"),
        ((IDS, np.full((3, 3), np.nan)), "got nan"),
        ((IDS[:2] + IDS[:1], np.eye(3)), "ids must be distinct"),
    ],
)
def test_graph_of_other_sensors_or_sizes_is_rejected(table, tmp_path, content, message):
    graph = write_graph(tmp_path / "adj_mx.pkl", *content)
    with pytest.raises(ValueError, match=rf"adj_mx.pkl.*{message}"):
        read_dcrnn(table, adjacency=graph)


def test_pickle_that_is_no_graph_is_rejected(table, tmp_path):
    graph = tmp_path / "adj_mx.pkl"
    graph.write_bytes(pickle.dumps([IDS, np.eye(3)]))
    with pytest.raises(ValueError, match="must hold a list of ids, .* got list of list, ndarray"):
        read_dcrnn(table, adjacency=graph)
    graph.write_bytes(pickle.dumps(Touch(tmp_path / "trace")))
    with pytest.raises(ValueError, match="adj_mx.pkl is not a pickle of plain arrays"):
        read_dcrnn(table, adjacency=graph)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("header", [["from,to,cost"], []])
def test_roads_of_other_sensors_are_excluded_and_counted(table, tmp_path, header):
    lines = [*header, "773869,767541,12.5", "773869,1,3", "2,1,3", "717447,717447,0.0"]
    series = read_dcrnn(table, distances=write_lines(tmp_path / "roads.csv", *lines))
    assert series.distances[0, 1] == 12.5 and series.distances[2, 2] == 0
    assert np.isfinite(series.distances).sum() == 2
    assert series.notes[0] == "2 roads from or to other sensors are ignored"


@pytest.mark.parametrize(
    "lines",
    [
        [
            "index,sensor_id,latitude,longitude",
            *(f"{i},{s},34.{i},-118" for i, s in enumerate(IDS)),
        ],
        [f"{s},34.{i},-118" for i, s in reversed(list(enumerate([*IDS, "1"])))],
    ],
)
def test_locations_with_and_without_a_header(table, tmp_path, lines):
    series = read_dcrnn(table, locations=write_lines(tmp_path / "places.csv", *lines))
    assert series.coordinates.tolist() == [[34.0, -118], [34.1, -118], [34.2, -118]]


@pytest.mark.parametrize(
    ("option", "lines", "message"),
    [
        ("distances", ["773869,767541,-1"], "line 1: distance must not be negative, got -1"),
        ("distances", ["773869,767541,nan"], "line 1: distance must not be negative, got nan"),
        ("distances", ["from,to,cost", "773869,767541,x"], "line 2: 'x' is not a number"),
        ("distances", ["773869,767541,1", "773869,767"], "line 2: 2 cells instead of 3"),
        ("distances", ["1,2,3"], "none of the 1 listed roads connects two sensors"),
        ("distances", ["773869,767541"], "header must be from,to,cost, or the columns"),
        (
            "distances",
            ["sender,receiver,cost", "773869,767541,1"],
            "line 1: 'cost' is not a number",
        ),
        ("locations", ["773869,34,-118"], "2 sensors have no location, first 767541"),
        (
            "locations",
            [f"{name},34,-190" for name in IDS],
            "coordinates must be latitude within 90",
        ),
        ("locations", ["sensor_id,latitude", "773869,34"], "header must be index,sensor_id"),
    ],
)
def test_bad_lists_are_reported_with_file_and_line(table, tmp_path, option, lines, message):
    path = write_lines(tmp_path / "list.csv", *lines)
    with pytest.raises(ValueError, match=message) as error:
        read_dcrnn(table, **{option: path})
    assert "list.csv" in str(error.value) or "metr-la.h5: coordinates" in str(error.value)
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        read_dcrnn(table, **{option: tmp_path / "absent.csv"})


def test_tables_of_other_kinds_are_rejected(table, tmp_path):
    with pytest.raises(ValueError, match=r"a table with the key 'speed' .* it holds df \(frame\)"):
        read_dcrnn(table, key="speed")
    assert read_dcrnn(table, key="/df").values.shape == (6, 3, 1)
    with h5py.File(table, "a") as file:
        file.copy("df", "more")
    with pytest.raises(ValueError, match=r"must hold exactly one table"):
        read_dcrnn(table)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"kind": np.bytes_(b"integer")}, "must be a time index, got kind 'integer'"),
        ({"tz": np.bytes_(b"US/Pacific")}, r"has a time zone \(US/Pacific\)"),
    ],
)
def test_index_that_is_no_local_clock_is_rejected(tmp_path, attribute, message):
    path = write_frame(tmp_path / "a.h5", "df", SPEED, TIMES, np.array(IDS, "S6"), **attribute)
    with pytest.raises(ValueError, match=message):
        read_dcrnn(path)


def test_corrupt_tables_are_reported(table, tmp_path):
    content = table.read_bytes()
    for length in (0, 100, len(content) // 2):
        path = tmp_path / "cut.h5"
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="cut.h5 cannot be read as a pandas table"):
            read_dcrnn(path)
    with pytest.raises(FileNotFoundError, match="absent.h5"):
        read_dcrnn(tmp_path / "absent.h5")


def change(path, name, make):
    with h5py.File(path, "a") as file:
        del file["df"][name]
        make(file["df"], name)
    return path


def test_parts_that_do_not_fit_or_lie_elsewhere_are_rejected(table, tmp_path):
    def refused(name, make, message):
        path = tmp_path / f"{name}.h5"
        path.write_bytes(table.read_bytes())
        with pytest.raises(ValueError, match=message):
            read_dcrnn(change(path, name, make))

    refused("axis1", lambda group, name: None, "/df has no axis1")
    refused(
        "axis0", lambda g, n: g.create_dataset(n, data=np.array(["a"] * 3, "S1")), "each of its"
    )
    refused("axis0", lambda g, n: g.create_dataset(n, data=np.ones(3)), "axis0 must hold names")
    refused("block0_values", lambda g, n: g.create_dataset(n, data=np.ones((5, 3))), "of shape")
    refused("block0_values", lambda g, n: g.create_group(n), "is not an array")
    external = h5py.ExternalLink(str(table), "/df/axis1")
    refused("axis1", lambda g, n: g.__setitem__(n, external), "axis1 is a link")
    huge = {"shape": (10**9, 10**6), "dtype": "f8", "chunks": (1, 10**6)}
    refused("block0_values", lambda g, n: g.create_dataset(n, **huge), "declares 8000000000000000")


def test_without_the_library_the_extra_is_reported(table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'geozoo\[traffic\]'"):
        read_dcrnn(table)


@pytest.mark.parametrize("columns", [IDS, [int(name) for name in IDS]])
@pytest.mark.parametrize("has_two_types", [False, True])
def test_files_of_todays_pandas(tmp_path, columns, has_two_types):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    frame = pandas.DataFrame(SPEED, index=pandas.DatetimeIndex(TIMES), columns=columns)
    if has_two_types:
        frame[columns[1]] = frame[columns[1]].astype("int64")
    frame.to_hdf(tmp_path / "new.h5", key="df", format="fixed")
    found = read_fixed_frame(tmp_path / "new.h5")
    assert found.columns == tuple(IDS)
    assert np.array_equal(found.values, SPEED)
    assert (found.times == TIMES).all()
    frame.to_hdf(tmp_path / "table.h5", key="df", format="table")
    with pytest.raises(ValueError, match=r"it holds df \(frame_table\)"):
        read_fixed_frame(tmp_path / "table.h5")


def test_files_are_found_under_their_names(tmp_path):
    for name in ("METR-LA.h5", "adj_mx.pkl", "graph_sensor_locations.csv"):
        (tmp_path / name).touch()
    paths = find_dcrnn(tmp_path, "metr_la")
    assert paths.series.name == "METR-LA.h5" and paths.locations is not None
    assert paths.distances is None
    with pytest.raises(FileNotFoundError, match="readings of pems_bay: .* none of pems-bay.h5"):
        find_dcrnn(tmp_path, "pems_bay")
    with pytest.raises(ValueError, match="name must be one of metr_la, pems_bay"):
        find_dcrnn(tmp_path, "pems08")
