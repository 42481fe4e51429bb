"""METR-LA and PEMS-BAY in DCRNN's layout: h5 readings, a pickled adjacency matrix, CSV lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geozoo.data.traffic.sensor_table import number_in
from geozoo.data.traffic.series import TrafficSeries, check_weights, with_quality_notes
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
    """Paths of the files of one dataset; the lists are optional."""

    series: Path
    adjacency: Path
    distances: Path | None
    locations: Path | None


def find_dcrnn(folder: str | Path, name: str) -> DcrnnPaths:
    """Find the files of ``metr_la`` or ``pems_bay`` in a folder, by their usual names.

    Raises:
        FileNotFoundError: If readings or graph are missing; the message lists all names tried.
        ValueError: If the name is unknown.
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
    """Read a pandas table of readings with its time index, and the sensor graph.

    Args:
        path: h5 file in pandas' fixed format; rows are times, columns are sensors.
        key: key of the table, ``df`` in METR-LA and ``speed`` in PEMS-BAY; ``None`` if there is
            only one.
        adjacency: pickle ``[ids, {id: index}, weights]`` of the same sensors; reordered to the
            column order.
        distances: CSV ``from,to,cost`` with or without that header. Roads of other sensors are
            ignored and counted in the notes: the list of METR-LA covers a larger network.
        locations: CSV ``index,sensor_id,latitude,longitude``, or ``id,latitude,longitude``
            without a header.
        interval: minutes between steps.
        feature: name of the measured quantity.
        unit: its unit.
        zero_is_missing: whether 0 denotes a missing reading, as it does in both datasets.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is corrupt or malformed, the graph is of other sensors, a distance is
            negative, or a sensor has no location; the message gives file and line.
        ImportError: If h5py is not installed.
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
            notes.append(f"{left_out} roads from or to other sensors are ignored")
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
        values = np.where(observed, frame.values, 0.0).astype(np.float32)[..., None]
    return with_quality_notes(
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
                f"{path} must hold a list of ids, a dict of indices by id and an array of weights, "
                f"got {_described(content)}"
            )
    names = [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in ids]
    if weights.shape != (len(names), len(names)) or weights.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: the weights must have shape ({len(names)}, {len(names)}), matching its ids; "
            f"got {weights.dtype} of shape {weights.shape}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: the sensor ids must be distinct")
    absent, more = set(sensor_ids) - set(names), set(names) - set(sensor_ids)
    if absent or more:
        raise ValueError(
            f"{path} is the graph of other sensors: it lacks {len(absent)} of the "
            f"{len(sensor_ids)} sensors in the readings ({', '.join(sorted(absent)[:3])}) and has "
            f"{len(more)} others ({', '.join(sorted(more)[:3])})"
        )
    check_weights(weights, f"{path}: the weights")
    index_of = {name: number for number, name in enumerate(names)}
    order = [index_of[name] for name in sensor_ids]
    return np.ascontiguousarray(weights[np.ix_(order, order)], dtype=np.float32)


def _described(content: object) -> str:
    if isinstance(content, list | tuple):
        return f"{type(content).__name__} of {', '.join(type(each).__name__ for each in content)}"
    return type(content).__name__


def _read_distances(path: Path, sensor_ids: Sequence[str]) -> tuple[np.ndarray, int]:
    """Distances, infinite where no road is listed, and number of roads of other sensors."""
    index_of = {name: number for number, name in enumerate(sensor_ids)}
    matrix = np.full((len(sensor_ids), len(sensor_ids)), np.inf)
    left_out = 0
    for line, row in _rows(path, ("from", "to", "cost")):
        cost = number_in(path, line, row[2])
        if not cost >= 0:
            raise ValueError(f"{path}, line {line}: distance must not be negative, got {row[2]}")
        sender, receiver = index_of.get(row[0]), index_of.get(row[1])
        if sender is None or receiver is None:
            left_out += 1
        else:
            matrix[sender, receiver] = min(cost, matrix[sender, receiver])
    if not np.isfinite(matrix).any():
        raise ValueError(
            f"{path}: none of the {left_out} listed roads connects two sensors of the readings"
        )
    return matrix, left_out


def _read_locations(path: Path, sensor_ids: Sequence[str]) -> np.ndarray:
    header = ("index", "sensor_id", "latitude", "longitude")
    coordinates = {}
    for line, row in _rows(path, header):
        *_, name, latitude, longitude = row
        coordinates[name] = (number_in(path, line, latitude), number_in(path, line, longitude))
    absent = [name for name in sensor_ids if name not in coordinates]
    if absent:
        raise ValueError(f"{path}: {len(absent)} sensors have no location, first {absent[0]}")
    return np.array([coordinates[name] for name in sensor_ids], dtype=np.float64)


def _rows(path: Path, header: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Rows of a list with their line numbers, without the header if there is one.

    A list without a header has the columns of ``header`` except ``index``.
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
            f"{path}: the header must be {','.join(header)}, or the columns {','.join(bare)} "
            f"without a header; got {','.join(first)}"
        )
    return rows[has_header:]
