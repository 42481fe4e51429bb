"""Series and graphs from plain tables: one row per step, one column per sensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from geozoo.data.traffic._missing_readings import MissingRule, outlier_notes
from geozoo.data.traffic._regular_grid import check_row_steps, on_regular_grid, step_of_rows
from geozoo.data.traffic._table_cells import TableForm, read_cells
from geozoo.data.traffic.sensor_graphs import distances_from_edges
from geozoo.data.traffic.series import TrafficSeries, clock, with_notes
from geozoo.files.contents import report_contents
from geozoo.files.errors import read_csv_rows

AbsentRows = Literal["unobserved", "closed"]


def read_sensor_table(
    path: str | Path,
    *,
    interval: int | None = None,
    start: str | None = None,
    feature: str = "value",
    unit: str = "1",
    zero_is_missing: bool = False,
    missing: Sequence[float] = (),
    absent_rows: AbsentRows = "unobserved",
    form: TableForm | None = None,
    adjacency: str | Path | None = None,
    edges: str | Path | None = None,
    coordinates: str | Path | None = None,
) -> TrafficSeries:
    """Read a csv file under a line of sensor ids.

    With ``start`` every column is a sensor and rows follow each other by ``interval``. Without,
    a column holds times and ``interval`` is their smallest step unless it is given. Separators,
    decimals and common forms of times are seen from the table; what it does not decide raises an
    error that names the setting of ``form``. Times with a UTC offset keep the clock of the text.

    Empty cells and NaN are missing. A note names a value that lies so far outside all others that
    it may stand for a missing reading (`geozoo.data.outlying_values`). A step without a row becomes
    an unobserved one, so that neighbouring steps of the series are always one interval apart.

    Args:
        path: the table.
        interval: minutes from a row to the next.
        start: local time of the first row.
        feature: what the sensors measure.
        unit: in which unit.
        zero_is_missing: whether 0 stands for a missing reading.
        missing: further numbers that stand for a missing reading, such as -9999.
        absent_rows: ``"unobserved"``, or ``"closed"``: the series has only the steps of the table,
            and windows and lags count rows, whatever time lies between.
        form: separator, decimals, columns and times; None: all seen from the table.
        adjacency: csv without a header, ``N`` rows of ``N`` weights in the table's order.
        edges: csv with the header ``from,to,cost`` (or ``distance``), sensors by id.
        coordinates: csv with the columns ``sensor_id,latitude,longitude``.

    Raises:
        FileNotFoundError: for a file that is not there.
        ValueError: for cells that are no numbers, ids that are not in the table, sizes that do
            not agree, times that are repeated or out of order, rows that are not ``interval``
            apart, or a gap many times as long as the table; names file and place.
    """
    if absent_rows not in get_args(AbsentRows):
        raise ValueError(f"absent_rows must be one of {get_args(AbsentRows)}, got {absent_rows!r}")
    path, form = Path(path).expanduser(), form or TableForm()
    rule = MissingRule(zero_is_missing, tuple(missing))
    if start is not None and interval is None:
        raise ValueError("interval must be given together with start")
    cells = read_cells(path, form, has_times=start is None)
    ids = cells.ids
    if cells.times is None:
        assert start is not None and interval is not None
        times = clock(start, len(cells.values), interval)
    else:
        times, interval = cells.times, interval or step_of_rows(path, cells.times)
        check_row_steps(path, times, interval)
    observed = rule.observed(cells.values)
    notes = (*cells.notes, *outlier_notes(cells.values[observed]))
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused as that
        values = np.where(observed, cells.values, 0.0)[..., None].astype(np.float32)
    series = TrafficSeries(
        values=values,
        observed=observed,
        times=times,
        interval=interval,
        features=(feature,),
        units=(unit,),
        sensor_ids=tuple(ids),
        adjacency=None if adjacency is None else _read_matrix(Path(adjacency), len(ids)),
        distances=None if edges is None else read_edges(edges, ids),
        coordinates=None if coordinates is None else read_coordinates(coordinates, ids),
        source=path.name,
        notes=notes,
        reading={**rule.to_dict(), "absent_rows": absent_rows, **form.given(), **cells.facts},
    )
    times_read = () if cells.times is None else ("times",)
    report_contents(path.name, [*times_read, f"{len(ids)} sensors"], cells.unread)
    return with_notes(on_regular_grid(series) if absent_rows == "unobserved" else series)


def read_edges(path: str | Path, sensor_ids: list[str]) -> np.ndarray:
    """Distances ``[N, N]`` from a csv of roads, ``from,to,cost``; infinite where none is listed.

    Args:
        path: the file; its third column may have another name.
        sensor_ids: names of the sensors in order.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: for another header, a sensor that is not known, or a length that is negative or
            no number; names file and line.
    """
    path = Path(path).expanduser()
    header, rows = _read_cells(path)
    if header[:2] != ["from", "to"] or len(header) != 3:
        raise ValueError(f"{path}: the header must be from,to,cost; got {','.join(header)}")
    place = {name: number for number, name in enumerate(sensor_ids)}
    pairs, costs = [], []
    for line, (sender, receiver, cost) in enumerate(rows, start=2):
        unknown = [name for name in (sender, receiver) if name not in place]
        if unknown:
            raise ValueError(f"{path}, line {line}: sensor {unknown[0]!r} is not in the list")
        pairs.append((place[sender], place[receiver]))
        costs.append(number_in(path, line, cost))
        if not costs[-1] >= 0:
            raise ValueError(f"{path}, line {line}: the distance {cost} must not be negative")
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    lengths = torch.tensor(costs, dtype=torch.float64)
    return distances_from_edges(index, lengths, len(sensor_ids)).numpy()


def read_coordinates(path: str | Path, sensor_ids: list[str]) -> np.ndarray:
    """Latitude and longitude ``[N, 2]`` from a csv with a line per sensor.

    Args:
        path: the file, with the columns ``sensor_id,latitude,longitude`` among others.
        sensor_ids: names of the sensors in order.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: for missing columns or sensors; names them.
    """
    path = Path(path).expanduser()
    header, rows = _read_cells(path)
    wanted = ("sensor_id", "latitude", "longitude")
    absent = [name for name in wanted if name not in header]
    if absent:
        raise ValueError(f"{path}: the columns {absent} are missing; it has {','.join(header)}")
    name, latitude, longitude = (header.index(column) for column in wanted)
    places = {
        row[name]: (number_in(path, line, row[latitude]), number_in(path, line, row[longitude]))
        for line, row in enumerate(rows, start=2)
    }
    lost = [sensor for sensor in sensor_ids if sensor not in places]
    if lost:
        raise ValueError(f"{path}: {len(lost)} sensors have no line, {lost[0]!r} first")
    return np.array([places[sensor] for sensor in sensor_ids], dtype=np.float64)


def _read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, all of one width."""
    rows = [row for _, row in read_csv_rows(path)]
    if len(rows) < 2:
        raise ValueError(f"{path}: a header and at least one row are needed, got {len(rows)} rows")
    return rows[0], rows[1:]


def number_in(path: Path, line: int, cell: str, where: str = "") -> float:
    """The number in a cell; ValueError names file, line and place for a cell that holds none."""
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{path}, line {line}{where}: {cell!r} is no number") from None


def _read_matrix(path: Path, size: int) -> np.ndarray:
    path = path.expanduser()
    rows = [[number_in(path, line, cell) for cell in row] for line, row in read_csv_rows(path)]
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused as that
        matrix = np.array(rows or [[]], dtype=np.float32)
    if matrix.shape != (size, size):
        raise ValueError(f"{path}: {size} x {size} weights are needed, got {matrix.shape}")
    return matrix
