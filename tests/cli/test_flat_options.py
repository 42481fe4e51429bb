"""Options by the names that they had before they stood in groups: on command lines and in runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from run_comparison import assert_same_run

from geozoo.cli._arguments import Publish
from geozoo.cli._publishing import publish
from geozoo.hub import load
from geozoo.options import former_names
from geozoo.report.screen import Screen
from geozoo.runs.evaluation import evaluation

Train = Callable[..., int]
RUN = (
    "model=stgode", "dataset=traffic_synthetic", "dataset.num_sensors=5", "dataset.num_days=3",
    "model.hidden_channels=4", "model.readout_channels=4", "recipe=none", "trainer.max_epochs=1",
    "trainer.limit_train_batches=2", "trainer.accelerator=cpu",
)  # fmt: skip
FORMER = ("model.num_branches=1", "model.use_time=true", "model.bottleneck_channels=4")
PRESENT = (
    "model.branches.num_branches=1", "model.extensions.use_time=true",
    "model.branches.bottleneck_channels=4",
)  # fmt: skip
TOLD = (
    "model.num_branches, model.use_time, model.bottleneck_channels are now "
    "model.branches.num_branches, model.extensions.use_time, model.branches.bottleneck_channels; "
    "the former names are accepted in this release only"
)


@pytest.fixture(autouse=True)
def nothing_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.runs.overrides._LOGGED", set())


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def recipe_of(folder: Path) -> str:
    with (folder / "result.csv").open(newline="") as file:
        return {row["recipe"] for row in csv.DictReader(file)}.pop()


def flat(node: Mapping[str, Any]) -> dict[str, Any]:
    """The node of a model as earlier versions wrote it."""
    from geozoo.models import StgODE

    groups = set(former_names(StgODE).values())
    return {
        name: value
        for key, each in node.items()
        for name, value in (each.items() if key in groups else [(key, each)])
    }


def as_of_an_earlier_version(folder: Path) -> None:
    """Let all files of a run have the options of its model outside of groups."""
    for path in (folder / "checkpoints").glob("*.ckpt"):
        content = torch.load(path, weights_only=True)
        content["geozoo"]["config"]["model"] = flat(content["geozoo"]["config"]["model"])
        torch.save(content, path)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"] = flat(config["model"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.thorough
def test_former_names_make_the_same_run_and_are_told_once(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*RUN, *PRESENT, "run_dir=present") == 0
    assert "in this release only" not in said(capsys)
    assert geozoo_train(*RUN, *FORMER, "run_dir=former") == 0
    assert said(capsys).count(TOLD) == 1
    assert_same_run(tmp_path / "present", tmp_path / "former")
    folders = [tmp_path / name for name in ("present", "former")]
    both = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in folders]
    assert both[0]["model"] == both[1]["model"]
    assert both[0]["model"]["branches"]["num_branches"] == 1
    # The record of results has the former names, whichever were given: runs keep their ids.
    recipes = [recipe_of(folder) for folder in folders]
    assert recipes[0] == recipes[1] and recipes[0].endswith(", ".join(FORMER))


@pytest.mark.thorough
def test_a_sweep_tells_it_once(geozoo_train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert geozoo_train("-m", *RUN, *FORMER, "seed=0,1") == 0
    assert said(capsys).count(TOLD) == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model.use_time=true", "model.extensions.use_time=true"),
            "model.use_time: the former name of model.extensions.use_time, which is also given",
        ),
        (
            ("model.extensions.use_tim=true",),
            "model.extensions.use_tim: unknown key of geozoo.TwoGraphExtensions; did you mean "
            "use_time (bool)? [command line]",
        ),
        (
            ("model.use_tim=true",),
            "model.use_tim: unknown key of geozoo.StgODE; did you mean extensions.use_time (bool)?",
        ),
        (
            ("model.integrator.rtol=small",),
            "model.integrator.rtol: expected float, got str 'small' [command line]",
        ),
        (
            ("model.integrator=rk4",),
            "model.integrator: expected a group of options (model.integrator",
        ),
    ],
)
def test_a_fault_is_told_in_one_line(
    words: tuple[str, ...], message: str, geozoo_train: Train, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert geozoo_train(*RUN, *words) == 2
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert message in text and len(text.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_value_that_a_group_refuses_is_told_in_one_line(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*RUN, "model.branches.num_blocks=0") != 0
    text = said(capsys)
    assert "model: num_blocks must be" in text and "Traceback" not in text


@pytest.mark.thorough
def test_runs_of_an_earlier_version_are_tested_continued_published_and_loaded(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*RUN, *PRESENT, "run_dir=run") == 0
    folder = tmp_path / "run"
    expected = evaluation("run", []).tested.metrics
    state = load(folder).task.state_dict()
    as_of_an_earlier_version(folder)
    capsys.readouterr()
    assert evaluation("run", []).tested.metrics == expected
    assert load(folder).task.state_dict().keys() == state.keys()
    publish(Publish(checkpoint="run", out=Path("published")), Screen())
    published = load("published").task.state_dict()
    assert all(torch.equal(value, published[name]) for name, value in state.items())
    words = ("trainer.max_epochs=2", "model.branches.recompute=true")
    assert geozoo_train(f"resume={folder}", *words) == 0
    assert "in this release only" not in said(capsys)
    assert geozoo_train(f"resume={folder}", "trainer.max_epochs=3", "model.recompute=true") == 0
    assert said(capsys).count("model.recompute is now model.branches.recompute; the former") == 1
