"""Series and sensor graphs from plain tables: one row per step, one column per sensor."""

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
from geozoo.data.traffic.series import TrafficSeries, clock, with_quality_notes
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
    """Read a CSV file of readings with a header of sensor ids.

    With ``start``, every column is a sensor and rows are ``interval`` apart. Without, one column
    holds times, and ``interval`` defaults to their smallest step. Separator, decimal mark and
    common time formats are detected; an ambiguous table raises an error that names the option of
    ``form`` to set. Times with a UTC offset keep the local time as written.

    Empty cells and NaN are missing. Values so far outside all others that they may denote missing
    readings are reported in the notes (`geozoo.data.outlying_values`). A step without a row becomes
    unobserved, so that consecutive steps of the series are always one interval apart.

    Args:
        path: the table.
        interval: minutes between rows.
        start: local time of the first row.
        feature: name of the measured quantity.
        unit: its unit.
        zero_is_missing: whether 0 denotes a missing reading.
        missing: further sentinel values of missing readings, such as -9999.
        absent_rows: ``"unobserved"``, or ``"closed"``: the series has only the steps of the table,
            and windows and lags count rows, regardless of the time between them.
        form: separator, decimal mark, columns and times; None: all detected.
        adjacency: CSV without header, ``N`` rows of ``N`` weights in the order of the table.
        edges: CSV with the header ``from,to,cost`` (or ``distance``), with sensor ids.
        coordinates: CSV with the columns ``sensor_id,latitude,longitude``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a cell is not a number, an id is not in the table, sizes are inconsistent,
            times are repeated or out of order, rows are not ``interval`` apart, or a gap is many
            times as long as the table; the message gives file and line.
    """
    if absent_rows not in get_args(AbsentRows):
        raise ValueError(f"absent_rows must be one of {get_args(AbsentRows)}, got {absent_rows!r}")
    path, form = Path(path).expanduser(), form or TableForm()
    rule = MissingRule(zero_is_missing, tuple(missing))
    if start is not None and interval is None:
        raise ValueError("start requires interval")
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
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
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
    return with_quality_notes(on_regular_grid(series) if absent_rows == "unobserved" else series)


def read_edges(path: str | Path, sensor_ids: list[str]) -> np.ndarray:
    """Distances ``[N, N]`` from a CSV of roads, ``from,to,cost``; infinite where none is listed.

    Args:
        path: the file; its third column may have any name.
        sensor_ids: sensor names in order.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the header is wrong, a sensor is unknown, or a length is negative or not a
            number; the message gives file and line.
    """
    path = Path(path).expanduser()
    header, rows = _read_cells(path)
    if header[:2] != ["from", "to"] or len(header) != 3:
        raise ValueError(f"{path}: the header must be from,to,cost; got {','.join(header)}")
    index_of = {name: number for number, name in enumerate(sensor_ids)}
    pairs, costs = [], []
    for line, (sender, receiver, cost) in enumerate(rows, start=2):
        unknown = [name for name in (sender, receiver) if name not in index_of]
        if unknown:
            raise ValueError(f"{path}, line {line}: sensor {unknown[0]!r} is not in the list")
        pairs.append((index_of[sender], index_of[receiver]))
        costs.append(number_in(path, line, cost))
        if not costs[-1] >= 0:
            raise ValueError(f"{path}, line {line}: distance must not be negative, got {cost}")
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    lengths = torch.tensor(costs, dtype=torch.float64)
    return distances_from_edges(index, lengths, len(sensor_ids)).numpy()


def read_coordinates(path: str | Path, sensor_ids: list[str]) -> np.ndarray:
    """Latitude and longitude ``[N, 2]`` from a CSV with one line per sensor.

    Args:
        path: the file, with at least the columns ``sensor_id,latitude,longitude``.
        sensor_ids: sensor names in order.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If columns or sensors are missing.
    """
    path = Path(path).expanduser()
    header, rows = _read_cells(path)
    wanted = ("sensor_id", "latitude", "longitude")
    absent = [name for name in wanted if name not in header]
    if absent:
        raise ValueError(f"{path}: the columns {absent} are missing; got {','.join(header)}")
    name, latitude, longitude = (header.index(column) for column in wanted)
    found = {
        row[name]: (number_in(path, line, row[latitude]), number_in(path, line, row[longitude]))
        for line, row in enumerate(rows, start=2)
    }
    lost = [sensor for sensor in sensor_ids if sensor not in found]
    if lost:
        raise ValueError(f"{path}: {len(lost)} sensors have no line; the first is {lost[0]!r}")
    return np.array([found[sensor] for sensor in sensor_ids], dtype=np.float64)


def _read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, all of equal length."""
    rows = [row for _, row in read_csv_rows(path)]
    if len(rows) < 2:
        raise ValueError(
            f"{path}: a table must have a header and at least one row, got {len(rows)} rows"
        )
    return rows[0], rows[1:]


def number_in(path: Path, line: int, cell: str, where: str = "") -> float:
    """The number in a cell; a ValueError for another cell gives file and line."""
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{path}, line {line}{where}: {cell!r} is not a number") from None


def _read_matrix(path: Path, size: int) -> np.ndarray:
    path = path.expanduser()
    rows = [[number_in(path, line, cell) for cell in row] for line, row in read_csv_rows(path)]
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
        matrix = np.array(rows or [[]], dtype=np.float32)
    if matrix.shape != (size, size):
        raise ValueError(f"{path}: weights must have shape ({size}, {size}), got {matrix.shape}")
    return matrix
