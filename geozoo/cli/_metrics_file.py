"""One table of losses and metrics from the pieces that a run and its continuations log."""

from __future__ import annotations

import csv
from pathlib import Path

from geozoo.cli._folder import RunFolder

Row = dict[str, str]


def gather_metrics(folder: RunFolder) -> None:
    """Write ``metrics.csv`` from ``csv/version_*/metrics.csv``.

    A continuation starts behind the last checkpoint; what an interrupted run logged after it is
    left out, because it was done again. Rows of one epoch and step are joined; test metrics, which
    belong to no epoch, stand in ``result.csv``.
    """
    pieces = sorted((folder.path / "csv").glob("version_*/metrics.csv"), key=_number)
    rows: list[Row] = []
    for piece in pieces:
        new = [_untested(row) for row in _read(piece)]
        new = [row for row in new if any(row[name] for name in row if "/" in name)]
        if new:
            first = _step(new[0])
            rows = [row for row in rows if _step(row) < first]
            rows += new
    if rows:
        _write(folder.metrics, _joined(rows))


def read_metrics(folder: RunFolder) -> list[Row]:
    """The rows of ``metrics.csv``; empty if there are none."""
    return _read(folder.metrics) if folder.metrics.is_file() else []


def curve(rows: list[Row], name: str) -> tuple[list[int], list[float]]:
    """Epochs, counted from 1 as a reader does, and values of a metric."""
    known = [(int(float(row["epoch"])) + 1, float(row[name])) for row in rows if row.get(name)]
    return [epoch for epoch, _ in known], [value for _, value in known]


def _untested(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("test/")}


def _read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = [name for name in ("epoch", "step") if name in names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, first + sorted(set(names) - set(first)), restval="")
        writer.writeheader()
        writer.writerows(rows)


def _joined(rows: list[Row]) -> list[Row]:
    joined: dict[tuple[str, str], Row] = {}
    for row in rows:
        place = joined.setdefault((row.get("epoch", ""), row.get("step", "")), {})
        place.update({name: value for name, value in row.items() if value or name not in place})
    return list(joined.values())


def _step(row: Row) -> int:
    return int(float(row["step"]))


def _number(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))
