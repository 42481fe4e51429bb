"""One table of losses and metrics from the logs of a run and its continuations."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

from geozoo.files.folders import atomic_path
from geozoo.runs.folder import RunFolder

Row = dict[str, str]


def gather_metrics(folder: RunFolder) -> None:
    """Write ``metrics.csv`` from the files of the logger, and remove those.

    A continuation starts after the last checkpoint; rows that an interrupted run logged after it
    are dropped, because those steps are repeated. Rows of the same epoch and step are merged; test
    metrics are in ``result.csv``. Epochs are counted from 1, as in all user-facing output; the
    files of the logger, ``csv/version_*/metrics.csv``, count from 0.
    """
    rows = read_metrics(folder)
    if rows:
        _write(folder.metrics, rows)
    for piece in _pieces(folder):
        piece.unlink()
        with contextlib.suppress(OSError):  # not empty: files of another logger
            piece.parent.rmdir()
            piece.parent.parent.rmdir()


def read_metrics(folder: RunFolder) -> list[Row]:
    """Losses and metrics by epoch, counted from 1; empty if there are none.

    They come from ``metrics.csv`` and, for a run that is in progress or was killed, from the files
    of the logger. Folders of older versions, which count from 0, are also supported.
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
    """The files of the logger, one for the run and one per continuation, oldest first."""
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
        merged = joined.setdefault((row.get("epoch", ""), row.get("step", "")), {})
        merged.update({name: value for name, value in row.items() if value or name not in merged})
    return list(joined.values())


def _epoch(row: Row) -> int:
    return int(float(row["epoch"]))


def _step(row: Row) -> int:
    return int(float(row["step"]))


def _number(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))
