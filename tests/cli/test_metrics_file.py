"""One table of losses and metrics, whatever pieces a run has left."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from geozoo.runs.folder import RunFolder
from geozoo.runs.metrics_file import curve, gather_metrics, read_metrics

HEAD = "epoch,step,train/loss,val/a\n"


def _piece(folder: Path, version: int, lines: str) -> Path:
    path = folder / "csv" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + lines)
    return path


def _epochs(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def test_one_copy_remains_and_counts_from_one(tmp_path: Path) -> None:
    _piece(tmp_path, 0, "0,4,0.5,\n0,4,,0.1\n1,9,0.4,0.2\n")
    gather_metrics(RunFolder(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert _epochs(tmp_path / "metrics.csv") == ["1", "2"]
    assert curve(read_metrics(RunFolder(tmp_path)), "val/a") == ([1, 2], [0.1, 0.2])


def test_a_continuation_adds_to_the_copy(tmp_path: Path) -> None:
    _piece(tmp_path, 0, "0,4,0.5,0.1\n1,9,0.4,0.2\n")
    gather_metrics(RunFolder(tmp_path))
    _piece(tmp_path, 0, "1,9,0.3,0.2\n2,14,0.2,0.1\n")  # the second epoch is done again
    gather_metrics(RunFolder(tmp_path))
    gather_metrics(RunFolder(tmp_path))
    rows = read_metrics(RunFolder(tmp_path))
    assert curve(rows, "train/loss") == ([1, 2, 3], [0.5, 0.3, 0.2])
    assert not (tmp_path / "csv").exists()


def test_a_killed_run_is_read_before_it_is_gathered(tmp_path: Path) -> None:
    _piece(tmp_path, 0, "0,4,0.5,0.1\n1,9,0.4,0.2\n")
    assert curve(read_metrics(RunFolder(tmp_path)), "train/loss") == ([1, 2], [0.5, 0.4])
    assert not (tmp_path / "metrics.csv").exists()


@pytest.mark.parametrize("with_pieces", [True, False])
def test_folders_of_older_versions_are_read(with_pieces: bool, tmp_path: Path) -> None:
    lines = "0,4,0.5,0.1\n1,9,0.4,0.2\n"
    (tmp_path / "metrics.csv").write_text(HEAD + lines)  # counted from 0
    if with_pieces:
        _piece(tmp_path, 0, lines)
    rows = read_metrics(RunFolder(tmp_path))
    assert curve(rows, "train/loss") == ([1, 2], [0.5, 0.4])
    _piece(tmp_path, 1, "2,14,0.2,0.1\n")
    gather_metrics(RunFolder(tmp_path))
    assert _epochs(tmp_path / "metrics.csv") == ["1", "2", "3"]


def test_files_of_others_beside_the_loggers_stay(tmp_path: Path) -> None:
    (_piece(tmp_path, 0, "0,4,0.5,0.1\n").parent / "notes.txt").write_text("mine")
    gather_metrics(RunFolder(tmp_path))
    assert (tmp_path / "csv" / "version_0" / "notes.txt").is_file()
