"""Sweeps that end in an answer, as commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from screens import exit_code

from geozoo.sweeps.jobs import Job, run_jobs, training_job

DATA = (
    "dataset=chirality", "dataset.num_train=200", "dataset.loader.batch_size=20",
    "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.mark.thorough
def test_models_are_compared_and_a_comparison_continues(place, monkeypatch, capsys) -> None:
    words = ("compare", *DATA, "models=[painn,egnn,stid]", "minutes=0.05", "out=cmp")
    assert exit_code(monkeypatch, 200, *words, "seeds=1") == 0
    said = capsys.readouterr()
    assert "trivial baseline" in said.out and "with 0.05 minutes of training each" in said.out
    assert "forecasts time series" in said.out  # why stid was not trained, in its row
    values = json.loads((place / "cmp/compare.json").read_text())
    assert {each["model"] for each in values["models"]} == {"painn", "egnn", "stid"}
    with (place / "cmp/compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["model"] == "trivial baseline" and rows[0]["seeds"] == "1"
    assert (place / "cmp/error_against_time.png").is_file()
    before = (place / "cmp/painn/seed0/result.csv").stat().st_mtime_ns
    # One run was interrupted after its last epoch, another seed is wanted.
    (place / "cmp/egnn/seed0/result.csv").unlink()
    assert exit_code(monkeypatch, 200, *words, "seeds=2", "processes=2") == 0
    assert (place / "cmp/painn/seed0/result.csv").stat().st_mtime_ns == before
    assert "resume=" in (place / "cmp/egnn/seed0/run.json").read_text() or (
        "finished" in (place / "cmp/egnn/seed0.log").read_text()
    )
    with (place / "cmp/compare.csv").open() as file:
        assert [row["seeds"] for row in csv.DictReader(file)][:2] == ["2", "2"]
    capsys.readouterr()
    assert exit_code(monkeypatch, 200, *words[:-2], "minutes=0.2", "out=cmp") == 1
    assert "was made with other settings (minutes: 0.05, now 0.2)" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_learning_curve(place, monkeypatch, capsys) -> None:
    words = ("learning-curve", "model=egnn", *DATA[:1], "dataset.loader.batch_size=20", DATA[3],
             "sizes=[40,80,160]", "seeds=1", "trainer.max_epochs=2", "out=curve")  # fmt: skip
    assert exit_code(monkeypatch, 200, *words) == 0
    said = capsys.readouterr().out
    assert "exponent b" in said or "between 40 and 160 samples" in said
    values = json.loads((place / "curve/learning_curve.json").read_text())
    assert [each["samples"] for each in values["sizes"]] == [40, 80, 160]
    assert [each["runs"][0]["steps"] for each in values["sizes"]] == [16, 16, 16]
    assert (place / "curve/report.html").is_file()


@pytest.mark.thorough
def test_a_launcher_starts_the_runs(place, monkeypatch, capsys) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ("compare", *DATA, "models=egnn", "minutes=0.05", "seeds=1", "out=cmp",
             "launcher=submitit_local", "hydra.launcher.timeout_min=5")  # fmt: skip
    assert exit_code(monkeypatch, 200, *words) == 0, capsys.readouterr().err
    assert (place / "cmp/egnn/seed0/result.csv").is_file()
    assert list((place / "cmp/egnn/.launcher").rglob("*_log.out"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("compare dataset=nbody models=nothing", 2, "unknown model 'nothing'"),
        ("compare dataset=nbody models=[]", 2, "models: expected names, or all"),
        ("compare dataset=nbody models=stid", 2, "forecasts time series"),
        ("compare dataset=nbody models=painn trainer.max_epochs=3", 2, "is set by the comparison"),
        ("compare dataset=nbody models=painn hydra.launcher.partition=gpu", 2, "needs launcher="),
        ("compare dataset=nbody models=painn minutes=0", 2, "minutes must be a number of at least"),
        ("learning-curve model=painn dataset=nbody sizes=[9,9]", 2, "two different numbers"),
        ("learning-curve model=painn dataset=nbody sizes=[9,0]", 2, "sizes must be a whole number"),
        ("learning-curve model=painn dataset=nbody sizes=[9,18] dataset.num_train=3", 2, "is set"),
    ],
)
def test_wrong_words(words, code, told, place, monkeypatch, capsys) -> None:
    assert exit_code(monkeypatch, 200, *words.split()) == code
    assert told in capsys.readouterr().err
    assert not list(place.iterdir())


def test_jobs_run_side_by_side_and_a_failure_stops_none(tmp_path: Path) -> None:
    def job(name: str) -> Job:
        return Job(name, tmp_path / f"{name}.log", (), tmp_path / f"{name}.csv")

    def call(each: Job, changes: dict[str, str]) -> int:
        if each.name == "b":
            each.log.write_text("12:00:01 data\ngeozoo train: out of memory: too large\n")
            return 1
        if each.name == "c":
            return -9
        each.product.touch()
        return 0

    (tmp_path / "done.csv").touch()
    notes: list[str] = []
    jobs = [job(name) for name in ("a", "b", "c", "d", "done")]
    errors = run_jobs(jobs, processes=2, note=notes.append, call=call)
    assert errors == {"b": "out of memory: too large", "c": "ended by signal 9 (out of memory?)"}
    assert [each.is_done for each in jobs] == [True, False, False, True, True]
    assert "a: done" in notes and not any(line.startswith("done") for line in notes)


def test_a_run_is_new_resumed_or_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "it's" / "seed0"
    new = training_job("a", folder, ["model=painn"])
    assert new.words[3:] == ("model=painn", f"run_dir='{tmp_path}/it\\'s/seed0'")
    (folder / "checkpoints").mkdir(parents=True)
    assert training_job("a", folder, ["model=painn"]).words == new.words and not folder.exists()
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    assert training_job("a", folder, ["model=painn"]).words[3:] == (f"resume={folder}",)
