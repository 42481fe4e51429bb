"""Run folders and data that were moved, and commands given in another working directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from geozoo.runs.errors import RunError
from geozoo.runs.evaluation import evaluation

Train = Callable[..., int]
SMALL = (
    "model=egnn", "dataset=extxyz", "trainer.accelerator=cpu", "trainer.max_epochs=1",
    "model.hidden_channels=8", "model.num_layers=1", "dataset.loader.batch_size=4",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, geozoo_train: Train, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``data/frames.xyz`` and the run ``runs/first`` of it, by a relative path."""
    ase = pytest.importorskip("ase")
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    random, frames = np.random.default_rng(0), []
    for _ in range(20):
        pos = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]]) + 0.05 * random.normal(size=(3, 3))
        atoms = ase.Atoms("OH2", positions=pos)
        forces = random.normal(size=(3, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=random.normal(), forces=forces)
        frames.append(atoms)
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    write(folder / "data" / "frames.xyz", frames, format="extxyz")
    monkeypatch.chdir(folder)
    assert geozoo_train(*SMALL, "dataset.path=data/frames.xyz", "run_dir=runs/first") == 0
    return folder


def _rewritten(run: Path, path: str) -> None:
    """As a run of an earlier version, whose config holds what was typed."""
    for name in ("best", "last"):
        file = run / "checkpoints" / f"{name}.ckpt"
        content = torch.load(file, weights_only=True)
        content["geozoo"]["config"]["dataset"]["path"] = path
        torch.save(content, file)


@pytest.mark.thorough
def test_paths_are_stored_absolute_and_recorded_as_typed(project: Path) -> None:
    run = project / "runs" / "first"
    stored = OmegaConf.load(run / "config.yaml")
    assert stored.dataset.path == str(project / "data" / "frames.xyz")
    assert stored.dataset.val_path is None
    assert stored.runs == str(project / "runs")
    result = (run / "result.csv").read_text()
    assert "dataset.path=data/frames.xyz" in result
    assert str(project) not in result.replace(f"run_dir={project}", "")


@pytest.mark.thorough
def test_another_working_directory_changes_nothing(
    project: Path, geozoo_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = evaluation(str(project / "runs" / "first"), []).tested.metrics
    assert geozoo_train("resume=project/runs/first", "trainer.max_epochs=2") == 0
    assert before.keys() == evaluation("project/runs/first", []).tested.metrics.keys()


@pytest.mark.thorough
def test_a_moved_project_is_resumed_tested_used_and_published(
    project: Path, geozoo_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    import geozoo
    from geozoo.cli.main import main

    before = evaluation("runs/first", []).tested.metrics
    monkeypatch.chdir(tmp_path)
    shutil.move(project, tmp_path / "moved")
    assert evaluation("moved/runs/first", []).tested.metrics == pytest.approx(before)
    caplog.clear()
    assert geozoo_train("resume=moved/runs/first", "trainer.max_epochs=2") == 0
    assert "does not exist; reading" in caplog.text and "moved/data/frames.xyz" in caplog.text
    assert not project.exists()
    best = tmp_path / "moved" / "runs" / "first" / "checkpoints" / "best.ckpt"
    config = torch.load(best.with_name("last.ckpt"), weights_only=True)["geozoo"]["config"]
    assert config["dataset"]["path"] == str(tmp_path / "moved" / "data" / "frames.xyz")
    assert config["run_dir"] == str(tmp_path / "moved" / "runs" / "first")
    assert geozoo.load("moved/runs/first").units["energy"]
    for words in (
        ["predict", "checkpoint=moved/runs/first", "input=moved/data/frames.xyz", "out=o.npz"],
        ["publish", "moved/runs/first", "out=published"],
    ):
        monkeypatch.setattr("sys.argv", ["geozoo", *words])
        main()
    description = (tmp_path / "published" / "model.json").read_text()
    assert str(tmp_path) not in description


@pytest.mark.thorough
def test_a_run_whose_data_lie_beside_it_or_nowhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "elsewhere"
    shutil.copytree(project / "runs" / "first", other / "run")
    shutil.move(project / "data" / "frames.xyz", other / "frames.xyz")
    assert evaluation("elsewhere/run", []).tested.metrics
    (other / "frames.xyz").unlink()
    with pytest.raises(RunError, match="also tried") as told:
        evaluation("elsewhere/run", [])
    for place in (project / "data", tmp_path / "data", other / "run", other):
        assert str(place / "frames.xyz") in str(told.value)


@pytest.mark.thorough
def test_earlier_runs_with_relative_paths(
    project: Path, tmp_path: Path, geozoo_train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rewritten(project / "runs" / "first", "data/frames.xyz")
    assert evaluation("runs/first", []).tested.metrics
    monkeypatch.chdir(tmp_path)
    assert evaluation("project/runs/first", []).tested.metrics
    assert geozoo_train("resume=project/runs/first", "trainer.max_epochs=2") == 0


@pytest.mark.thorough
def test_init_from_is_a_path_or_a_name(project: Path, geozoo_train: Train) -> None:
    words = (*SMALL, "dataset.path=data/frames.xyz")
    assert geozoo_train(*words, "init_from=runs/first", "run_dir=runs/second") == 0
    stored = OmegaConf.load(project / "runs" / "second" / "config.yaml")
    assert stored.init_from == str(project / "runs" / "first")
