"""METR-LA and PEMS-BAY as they were published with DCRNN: h5 readings, a pickled graph, lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geozoo.data.traffic.sensor_table import number_in
from geozoo.data.traffic.series import TrafficSeries, check_weights, with_notes
from geozoo.files.array_pickle import read_array_pickle
from geozoo.files.errors import read_csv_rows
from geozoo.files.names import find_file
from geozoo.files.pandas_hdf import read_fixed_frame

_NAMES = {
    "metr_la": {
        "series": ["metr-la.h5", "metr_la.h5"],
        "adjacency": ["adj_mx.pkl", "adj_mx_la.pkl", "adj_METR-LA.pkl"],
        "distances": ["distances_la_2012.csv"],
        "locations": ["graph_sensor_locations.csv"],
    },
    "pems_bay": {
        "series": ["pems-bay.h5", "pems_bay.h5"],
        "adjacency": ["adj_mx_bay.pkl", "adj_PEMS-BAY.pkl"],
        "distances": ["distances_bay_2017.csv"],
        "locations": ["graph_sensor_locations_bay.csv"],
    },
}


class DcrnnPaths(NamedTuple):
    """Where the files of one set lie; the lists may be absent."""

    series: Path
    adjacency: Path
    distances: Path | None
    locations: Path | None


def find_dcrnn(folder: str | Path, name: str) -> DcrnnPaths:
    """Find the files of ``metr_la`` or ``pems_bay`` in a folder, under their usual names.

    Raises:
        FileNotFoundError: without readings or graph; names the folder and all names looked for.
        ValueError: for another set.
    """
    if name not in _NAMES:
        raise ValueError(f"name must be one of {', '.join(_NAMES)}, got {name!r}")
    folder, names = Path(folder).expanduser(), _NAMES[name]
    lists: list[Path | None] = []
    for what in ("distances", "locations"):
        try:
            lists.append(find_file(folder, names[what], what))
        except FileNotFoundError:
            lists.append(None)
    return DcrnnPaths(
        find_file(folder, names["series"], f"readings of {name}"),
        find_file(folder, names["adjacency"], f"graph of {name}"),
        *lists,
    )


def read_dcrnn(
    path: str | Path,
    *,
    key: str | None = None,
    adjacency: str | Path | None = None,
    distances: str | Path | None = None,
    locations: str | Path | None = None,
    interval: int = 5,
    feature: str = "speed",
    unit: str = "mph",
    zero_is_missing: bool = True,
) -> TrafficSeries:
    """Read readings from a table of pandas, times from its index, and the graph beside it.

    Args:
        path: h5 file in pandas' fixed format; rows are times, columns sensors.
        key: name of the table, ``df`` in METR-LA and ``speed`` in PEMS-BAY; ``None`` for the only
            one.
        adjacency: pickle ``[ids, {id: place}, weights]``. It must be of the same sensors and is
            brought into the order of the columns.
        distances: csv ``from,to,cost`` with or without that header. Roads of other sensors are
            left out and counted in the notes: the list of METR-LA is of a larger network.
        locations: csv ``index,sensor_id,latitude,longitude``, or ``id,latitude,longitude``
            without a header.
        interval: minutes between steps.
        feature: what the sensors measure.
        unit: in which unit.
        zero_is_missing: whether 0 stands for a missing reading, as it does in both sets.

    Raises:
        FileNotFoundError: for a file that is not there.
        ValueError: for a damaged file or one of another kind, graphs of other sensors, negative
            distances, or sensors without a location; names file and place.
        ImportError: without h5py; says how to install it.
    """
    path = Path(path).expanduser()
    frame = read_fixed_frame(path, key)
    observed = ~np.isnan(frame.values)
    if zero_is_missing:
        observed &= frame.values != 0
    roads, notes = None, []
    if distances is not None:
        roads, left_out = _read_distances(Path(distances), frame.columns)
        if left_out:
            notes.append(f"{left_out} roads from or to other sensors are left out")
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused as that
        values = np.where(observed, frame.values, 0.0).astype(np.float32)[..., None]
    return with_notes(
        TrafficSeries(
            values=values,
            observed=observed,
            times=frame.times,
            interval=interval,
            features=(feature,),
            units=(unit,),
            sensor_ids=frame.columns,
            coordinates=None
            if locations is None
            else _read_locations(Path(locations), frame.columns),
            distances=roads,
            adjacency=None
            if adjacency is None
            else _read_adjacency(Path(adjacency), frame.columns),
            source=path.name,
            notes=tuple(notes),
            reading={"zero_is_missing": zero_is_missing},
        )
    )


def _read_adjacency(path: Path, sensor_ids: Sequence[str]) -> np.ndarray:
    """The weights in the order of the sensors."""
    path = path.expanduser()
    content = read_array_pickle(path)
    match content:
        case [list(ids), dict(), np.ndarray() as weights]:
            pass
        case _:
            raise ValueError(
                f"{path} must hold ids, places by id and weights, got {_described(content)}"
            )
    names = [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in ids]
    if weights.shape != (len(names), len(names)) or weights.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: {len(names)} x {len(names)} weights are needed, as many as it has ids; got "
            f"{weights.dtype} of shape {weights.shape}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: its ids are not all different")
    absent, more = set(sensor_ids) - set(names), set(names) - set(sensor_ids)
    if absent or more:
        raise ValueError(
            f"{path} is the graph of other sensors: of the {len(sensor_ids)} in the readings it "
            f"lacks {len(absent)} ({', '.join(sorted(absent)[:3])}), and it has {len(more)} others "
            f"({', '.join(sorted(more)[:3])})"
        )
    check_weights(weights, f"{path}: the weights")
    place = {name: number for number, name in enumerate(names)}
    order = [place[name] for name in sensor_ids]
    return np.ascontiguousarray(weights[np.ix_(order, order)], dtype=np.float32)


def _described(content: object) -> str:
    if isinstance(content, list | tuple):
        return f"{type(content).__name__} of {', '.join(type(each).__name__ for each in content)}"
    return type(content).__name__


def _read_distances(path: Path, sensor_ids: Sequence[str]) -> tuple[np.ndarray, int]:
    """Distances, infinite where no road is listed, and how many roads are of other sensors."""
    place = {name: number for number, name in enumerate(sensor_ids)}
    matrix = np.full((len(sensor_ids), len(sensor_ids)), np.inf)
    left_out = 0
    for line, row in _rows(path, ("from", "to", "cost")):
        cost = number_in(path, line, row[2])
        if not cost >= 0:
            raise ValueError(f"{path}, line {line}: the distance {row[2]} is not 0 or positive")
        sender, receiver = place.get(row[0]), place.get(row[1])
        if sender is None or receiver is None:
            left_out += 1
        else:
            matrix[sender, receiver] = min(cost, matrix[sender, receiver])
    if not np.isfinite(matrix).any():
        raise ValueError(f"{path}: none of its {left_out} roads is between sensors of the readings")
    return matrix, left_out


def _read_locations(path: Path, sensor_ids: Sequence[str]) -> np.ndarray:
    header = ("index", "sensor_id", "latitude", "longitude")
    places = {}
    for line, row in _rows(path, header):
        *_, name, latitude, longitude = row
        places[name] = (number_in(path, line, latitude), number_in(path, line, longitude))
    absent = [name for name in sensor_ids if name not in places]
    if absent:
        raise ValueError(f"{path}: {len(absent)} sensors have no location, {absent[0]} first")
    return np.array([places[name] for name in sensor_ids], dtype=np.float64)


def _rows(path: Path, header: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Lines of a list with their numbers, without the header, if it has the one expected.

    A list without a header has the columns of ``header``, but for a first ``index``.
    """
    path = path.expanduser()
    bare = [name for name in header if name != "index"]
    rows = read_csv_rows(path)
    if not rows:
        raise ValueError(f"{path} is empty")
    first = rows[0][1]
    has_header = tuple(name.lower() for name in first) == header
    if not has_header and len(first) != len(bare):
        raise ValueError(
            f"{path}: it must begin with {','.join(header)}, or have {','.join(bare)} without a "
            f"header; got {','.join(first)}"
        )
    return rows[has_header:]
