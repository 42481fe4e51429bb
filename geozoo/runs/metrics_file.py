"""One table of losses and metrics from the pieces that a run and its continuations log."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

from geozoo.files.folders import atomic_path
from geozoo.runs.folder import RunFolder

Row = dict[str, str]


def gather_metrics(folder: RunFolder) -> None:
    """Write ``metrics.csv``, with what the logger wrote, and remove the logger's own files.

    A continuation starts behind the last checkpoint; what an interrupted run logged after it is
    left out, because it was done again. Rows of one epoch and step are joined; test metrics, which
    belong to no epoch, stand in ``result.csv``. Epochs are counted from 1, as everywhere a person
    reads them; the logger's files, ``csv/version_*/metrics.csv``, count from 0.
    """
    rows = read_metrics(folder)
    if rows:
        _write(folder.metrics, rows)
    for piece in _pieces(folder):
        piece.unlink()
        with contextlib.suppress(OSError):  # not empty: files of another's
            piece.parent.rmdir()
            piece.parent.parent.rmdir()


def read_metrics(folder: RunFolder) -> list[Row]:
    """Losses and metrics by epoch, counted from 1; empty if there are none.

    They are those of ``metrics.csv`` and, of a run that goes on or was killed, of the logger's
    files that are not yet in it. Folders of older versions, which count from 0, are read too.
    """
    rows = _read(folder.metrics) if folder.metrics.is_file() else []
    if any(_epoch(row) == 0 for row in rows):  # of an older version
        rows = [_counted_from_one(row) for row in rows]
    for piece in _pieces(folder):
        new = [_untested(row) for row in _read(piece)]
        new = [row for row in new if any(row[name] for name in row if "/" in name)]
        if new:
            first = _step(new[0])
            rows = [row for row in rows if _step(row) < first]
            rows += [_counted_from_one(row) for row in new]
    return _joined(rows)


def curves(rows: list[Row]) -> dict[str, tuple[list[int], list[float]]]:
    """Epochs and values of the loss ``train/loss`` and every validation metric by name."""
    names = {name for row in rows for name in row if name.startswith("val/")}
    return {name: curve(rows, name) for name in ("train/loss", *sorted(names))}


def curve(rows: list[Row], name: str) -> tuple[list[int], list[float]]:
    """Epochs, counted from 1, and values of a metric."""
    known = [(_epoch(row), float(row[name])) for row in rows if row.get(name)]
    return [epoch for epoch, _ in known], [value for _, value in known]


def _pieces(folder: RunFolder) -> list[Path]:
    """The logger's files, one of the run and one of every continuation, oldest first."""
    return sorted((folder.path / "csv").glob("version_*/metrics.csv"), key=_number)


def _counted_from_one(row: Row) -> Row:
    return {**row, "epoch": str(_epoch(row) + 1)}


def _untested(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("test/")}


def _read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = [name for name in ("epoch", "step") if name in names]
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, first + sorted(set(names) - set(first)), restval="")
        writer.writeheader()
        writer.writerows(rows)


def _joined(rows: list[Row]) -> list[Row]:
    joined: dict[tuple[str, str], Row] = {}
    for row in rows:
        place = joined.setdefault((row.get("epoch", ""), row.get("step", "")), {})
        place.update({name: value for name, value in row.items() if value or name not in place})
    return list(joined.values())


def _epoch(row: Row) -> int:
    return int(float(row["epoch"]))


def _step(row: Row) -> int:
    return int(float(row["step"]))


def _number(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))
