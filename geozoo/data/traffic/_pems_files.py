"""PEMS03, PEMS04, PEMS07 and PEMS08 as they were published: an npz of readings, a csv of roads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geozoo.data.traffic.sensor_table import read_edges
from geozoo.data.traffic.series import TrafficSeries, clock, with_notes
from geozoo.files.errors import damage_named
from geozoo.files.names import find_file
from geozoo.files.numpy_arrays import read_npz

_KEY = "data"
#: Features by how many the file has.
_FEATURES = {1: ("flow",), 3: ("flow", "occupancy", "speed")}


class PemsPaths(NamedTuple):
    """Where the files of one set lie."""

    series: Path
    edges: Path
    sensor_ids: Path | None


def find_pems(folder: str | Path, name: str, *, has_station_ids: bool = False) -> PemsPaths:
    """Find the files of a set in a folder, under their official names or those of ASTGCN.

    Looked for are ``PEMS08.npz`` or ``data.npz`` and ``PEMS08.csv``, ``distance.csv`` or
    ``PEMS08_distance.csv``; upper and lower case do not matter.

    Args:
        folder: where they lie.
        name: of the set, as ``PEMS08``.
        has_station_ids: whether the roads are between station ids, which then are in
            ``PEMS03.txt`` (or ``PEMS03_sensor_ids.txt``).

    Raises:
        FileNotFoundError: for a missing file; names the folder and all names looked for.
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

    Sensors are named ``0`` to ``N - 1``, or by their station ids. Zeros are readings like others
    unless told otherwise: the files hold both real zeros and missing ones, and do not tell which.

    Args:
        path: the npz file.
        start: local time of the first step; the file does not say.
        interval: minutes between steps.
        edges: csv of roads, ``from,to,cost`` or ``from,to,distance``, between station ids or
            places in the order of the npz. The unit of the lengths differs from set to set and is
            not stated there.
        sensor_ids: txt of station ids in the order of the npz, one a line (PEMS03).
        features: names; ``None`` for flow, or flow, occupancy and speed where there are three.
        units: of the features; ``None`` for vehicles per interval, share and mph, or ``1`` for
            features of other names.
        zero_is_missing: whether a target of 0 counts as missing.

    Raises:
        FileNotFoundError: for a file that is not there.
        ValueError: for a damaged file or one of another kind, NaN, roads of sensors that the
            readings do not have, or negative lengths; names file and place.
    """
    path = Path(path).expanduser()
    data = _read_array(path)
    num_steps, num_sensors, num_features = data.shape
    if features is None and num_features not in _FEATURES:
        raise ValueError(f"{path}: features must be given, since {_KEY} has {num_features} of them")
    names = tuple(_FEATURES[num_features] if features is None else features)
    ids = _read_ids(sensor_ids, num_sensors, path)
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused as that
        values = data.astype(np.float32)
    observed = values[..., 0] != 0 if zero_is_missing else np.ones(values.shape[:2], dtype=bool)
    default_units = {"flow": f"vehicles/{interval} min", "speed": "mph"}
    return with_notes(
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
    with damage_named(path, "no list in UTF-8"):
        ids = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    ids = [line for line in ids if line]
    if len(ids) != count:
        raise ValueError(
            f"{path}: {count} ids are needed, one a line, as many as {series_path.name} has "
            f"sensors; got {len(ids)}"
        )
    return ids


def _read_roads(path: Path, ids: list[str]) -> np.ndarray:
    """Roads between ids, or between places in their list: PEMS03 is published in both forms."""
    try:
        return read_edges(path, ids)
    except ValueError as error:
        places = [str(number) for number in range(len(ids))]
        if "is not in the list" not in str(error):
            raise
        if ids != places:
            try:
                return read_edges(path, places)
            except ValueError:
                pass
        raise ValueError(
            f"{error}, which is {ids[0]} to {ids[-1]} ({len(ids)} sensors). Where roads are "
            "between station ids, the list of these must be given"
        ) from None
