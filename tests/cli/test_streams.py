"""What was asked for goes to the standard output, all that is said about it elsewhere."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from screens import are_whole, exit_code
from tiny_configs import TINY

from geozoo.results.rows import read_results

Train = Callable[..., int]
BOX = set("│┃─━┏╭╰")


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run ``geozoo`` for a narrow screen; gives the exit code."""
    return exit_code(monkeypatch, 40, *words)


def test_a_prediction_names_its_file_and_nothing_else(tmp_path, monkeypatch, capsys) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "a_folder_of_some_length" / "out.csv"
    target.parent.mkdir()
    _write_readings(source)
    words = ("predict", "checkpoint=stid-los_loop", f"input={source}", f"out={target}")
    assert run(monkeypatch, *words) == 0
    said, about = capsys.readouterr()
    assert said == f"{target}\n" and target.is_file()
    assert "12 steps of 5 min" in about and "stid-los_loop" in about


def _write_readings(path: Path) -> None:
    """Twelve readings of every sensor of the Los-loop."""
    from geozoo.hub import Description, shipped_models
    from geozoo.hub.description import FILE_NAME

    described = Description.read(shipped_models()["stid-los_loop"] / FILE_NAME)
    sensors = described.data["protocol"]["sensors"]
    lines = [",".join(["time", *sensors])]
    for step in range(12):
        lines.append(",".join([f"2012-03-08T10:{5 * step:02d}:00", *["60.0"] * len(sensors)]))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.thorough
def test_a_training_prints_its_summary_and_logs_elsewhere(
    geozoo_train: Train, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    folder = tmp_path / ("long_name_" * 12)
    handlers = logging.getLogger().handlers[:]
    logging.getLogger().handlers.clear()  # those of pytest, which would keep ours away
    try:
        assert geozoo_train(*TINY, "trainer.max_epochs=2", f"run_dir={folder}") == 0
    finally:
        logging.getLogger().handlers[:] = handlers
    said, about = capsys.readouterr()
    assert any(line.endswith(f"run folder: {folder}") for line in about.splitlines())
    assert "epoch 2 of 2" in about and "epoch 2 of 2" not in said
    rows = read_results(folder / "result.csv")
    numbers = [f"{value:.5g}" for row in rows for value in (row.value, row.baseline)]
    assert not are_whole([*numbers, folder.name, "report.html"], said.splitlines())
    assert said == (folder / "summary.txt").read_text()
    assert not BOX & set(said)


@pytest.mark.thorough
def test_a_sweep_is_summed_up_by_whole_names(geozoo_train: Train, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    words = ("-m", *TINY, "trainer.max_epochs=1", "seed=0,1", "runs=a_folder")
    assert geozoo_train(*words) == 0
    said = capsys.readouterr().out.splitlines()
    runs = list((tmp_path / "a_folder" / "tiny-tiny").iterdir())
    for folder in runs:
        (line,) = [line for line in said if line.startswith(folder.name)]
        values = [row.value for row in read_results(folder / "result.csv")]
        assert {f"{value:.5g}" for value in values} <= set(line.split())
    assert any(line.startswith("mean ± standard deviation") for line in said)


def test_a_saved_test_and_a_published_model(tiny_run: Path, tmp_path, monkeypatch, capsys) -> None:
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", tiny_run) == 0
    said = capsys.readouterr().out
    values = [f"{row.value:.5g}" for row in read_results(tiny_run / "result.csv")]
    assert not are_whole(values, said.splitlines())
    assert run(monkeypatch, "publish", tiny_run, f"out={tmp_path / 'out'}") == 0
    said, about = capsys.readouterr()
    assert said == f"{tmp_path / 'out'}\n" and "load it" in about


def test_an_exported_program_is_named(tmp_path, monkeypatch, capsys) -> None:
    assert run(monkeypatch, "export", "stid-los_loop", f"out={tmp_path / 'm.pt2'}") == 0
    said, about = capsys.readouterr()
    assert said == f"{tmp_path / 'm.pt2'}\n"
    model, wait, size = about.splitlines()
    assert "stid-los_loop" in model and "tracing" in wait and "MiB" in size


def test_a_table_as_csv_is_csv_alone(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "table", "nbody", "format=csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert rows and all(float(row["value"]) for row in rows)


def test_what_would_be_done_is_asked_for(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "reproduce", "9bb205", "dry_run=true") == 0
    said, about = capsys.readouterr()
    assert "seed=2" in said and "tolerance" in said and about == ""
