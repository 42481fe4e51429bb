"""PEMS03, PEMS04, PEMS07 and PEMS08 in their published layout: npz readings, CSV roads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geozoo.data.traffic.sensor_table import read_edges
from geozoo.data.traffic.series import TrafficSeries, clock, with_quality_notes
from geozoo.files.errors import corrupt_file_errors
from geozoo.files.names import find_file
from geozoo.files.numpy_arrays import read_npz

_KEY = "data"
#: Feature names by number of features.
_FEATURES = {1: ("flow",), 3: ("flow", "occupancy", "speed")}


class PemsPaths(NamedTuple):
    """Paths of the files of one dataset."""

    series: Path
    edges: Path
    sensor_ids: Path | None


def find_pems(folder: str | Path, name: str, *, has_station_ids: bool = False) -> PemsPaths:
    """Find the files of a dataset in a folder, by their official names or those of ASTGCN.

    The names are ``PEMS08.npz`` or ``data.npz`` and ``PEMS08.csv``, ``distance.csv`` or
    ``PEMS08_distance.csv``; case is ignored.

    Args:
        folder: the folder.
        name: name of the dataset, such as ``PEMS08``.
        has_station_ids: whether the roads are given between station ids, which are then listed in
            ``PEMS03.txt`` (or ``PEMS03_sensor_ids.txt``).

    Raises:
        FileNotFoundError: If a file is missing; the message lists all names tried.
    """
    folder = Path(folder).expanduser()
    ids = [f"{name}.txt", f"{name}_sensor_ids.txt"]
    return PemsPaths(
        find_file(folder, [f"{name}.npz", "data.npz"], f"readings of {name}"),
        find_file(
            folder,
            [f"{name}.csv", "distance.csv", f"{name}_distance.csv"],
            f"roads of {name}",
        ),
        find_file(folder, ids, f"station ids of {name}") if has_station_ids else None,
    )


def read_pems(
    path: str | Path,
    *,
    start: str | date | np.datetime64,
    interval: int = 5,
    edges: str | Path | None = None,
    sensor_ids: str | Path | None = None,
    features: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    zero_is_missing: bool = False,
) -> TrafficSeries:
    """Read readings ``[S, N, F]`` from the key ``data`` of an npz file, and the roads.

    Sensors are called ``0`` to ``N - 1``, or by their station ids. Zeros count as readings by
    default: the files contain both true zeros and missing readings coded as 0, and do not
    distinguish them.

    Args:
        path: the npz file.
        start: local time of the first step, which the file does not contain.
        interval: minutes between steps.
        edges: CSV of roads, ``from,to,cost`` or ``from,to,distance``, between station ids or
            indices in the order of the npz. The unit of length differs between the datasets and is
            not documented.
        sensor_ids: text file of station ids in the order of the npz, one per line (PEMS03).
        features: feature names; ``None`` for flow, or flow, occupancy and speed if there are
            three.
        units: units of the features; ``None`` for vehicles per interval, fraction and mph, or
            ``1`` for features of other names.
        zero_is_missing: whether a target of 0 counts as missing.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is corrupt or malformed, a value is NaN, a road refers to an unknown
            sensor, or a length is negative; the message gives file and line.
    """
    path = Path(path).expanduser()
    data = _read_array(path)
    num_steps, num_sensors, num_features = data.shape
    if features is None and num_features not in _FEATURES:
        raise ValueError(
            f"{path}: features must be given, since {_KEY} has {num_features} features"
        )
    names = tuple(_FEATURES[num_features] if features is None else features)
    ids = _read_ids(sensor_ids, num_sensors, path)
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
        values = data.astype(np.float32)
    observed = values[..., 0] != 0 if zero_is_missing else np.ones(values.shape[:2], dtype=bool)
    default_units = {"flow": f"vehicles/{interval} min", "speed": "mph"}
    return with_quality_notes(
        TrafficSeries(
            values=values,
            observed=observed,
            times=clock(start, num_steps, interval),
            interval=interval,
            features=names,
            units=tuple([default_units.get(n, "1") for n in names] if units is None else units),
            sensor_ids=tuple(ids),
            distances=None if edges is None else _read_roads(Path(edges), ids),
            source=path.name,
        )
    )


def _read_array(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    data = read_npz(path, [_KEY])[_KEY]
    if data.ndim != 3 or data.dtype.kind not in "fiu" or 0 in data.shape:
        raise ValueError(
            f"{path}: {_KEY} must be numbers of shape [steps, sensors, features], got "
            f"{data.dtype} of shape {data.shape}"
        )
    return data


def _read_ids(path: str | Path | None, count: int, series_path: Path) -> list[str]:
    if path is None:
        return [str(number) for number in range(count)]
    path = Path(path).expanduser()
    with corrupt_file_errors(path, "not a text file in UTF-8"):
        ids = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    ids = [line for line in ids if line]
    if len(ids) != count:
        raise ValueError(
            f"{path}: expected {count} ids, one per line, for the sensors of {series_path.name}; "
            f"got {len(ids)}"
        )
    return ids


def _read_roads(path: Path, ids: list[str]) -> np.ndarray:
    """Roads between ids, or between indices: PEMS03 is published in both forms."""
    try:
        return read_edges(path, ids)
    except ValueError as error:
        indices = [str(number) for number in range(len(ids))]
        if "is not in the list" not in str(error):
            raise
        if ids != indices:
            try:
                return read_edges(path, indices)
            except ValueError:
                pass
        raise ValueError(
            f"{error}, which is {ids[0]} to {ids[-1]} ({len(ids)} sensors). If roads are given "
            "between station ids, sensor_ids must be given"
        ) from None
