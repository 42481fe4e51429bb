"""Elastic training by the command line, and its sizes as models of their own."""

from __future__ import annotations

import csv

import pytest
import torch
from tiny_configs import TINY

from geozoo.cli._arguments import Publish
from geozoo.cli._publishing import publish
from geozoo.hub import Description, load
from geozoo.models import Ponita
from geozoo.report.screen import Screen
from geozoo.runs.evaluation import data_of_run
from geozoo.runs.trained import trained_model

SMALL = (
    *TINY, "model=ponita", "recipe=none", "model.hidden_channels=8", "model.num_layers=3",
    "model.kernel.basis_channels=8", "model.orientations.num_orientations=8",
    "trainer.max_epochs=2", "schedule.warmup_epochs=0",
)  # fmt: skip


@pytest.fixture
def elastic_run(run_once):
    """The folder of a finished elastic run."""
    return run_once("elastic", *SMALL, "elastic=true")


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def batch_of(run):
    _, data = data_of_run(str(run))
    return data.store.gather(data.splits["test"])


def test_a_run_tests_its_sizes_and_loads_at_any_of_them(elastic_run):
    rows = table(elastic_run / "test_sizes.csv")
    assert [(row["orientations"], row["num_layers"], row["width"]) for row in rows] == [
        ("6", "2", "0.5"), ("6", "2", "0.75"), ("8", "3", "1.0"),
    ]  # fmt: skip
    assert "test_sizes.csv" in (elastic_run / "summary.txt").read_text()
    metrics = {row["metric"]: float(row["value"]) for row in table(elastic_run / "result.csv")}
    assert float(rows[-1]["position_mse"]) == pytest.approx(metrics["position_mse"])
    whole, batch = load(elastic_run), batch_of(elastic_run)
    small = load(elastic_run, orientations=6, num_layers=2, width=0.5)
    assert small.description.elastic is None and not small.description.metrics
    assert small.model.size_arguments == {
        "hidden_channels": 4, "num_layers": 2, "orientations": {"num_orientations": 6},
    }  # fmt: skip
    whole.task.model = whole.model.resized(orientations=6, num_layers=2, width=0.5)
    assert torch.equal(small.predict(batch)["position"], whole.predict(batch)["position"])
    for size, message in (
        ({"orientations": 12}, "orientations must be one of .*: 6, 8; got 12"),
        ({"num_layers": 1}, "num_layers must be one of .*: 2, 3; got 1"),
        ({"width": 0.25}, "width must be one of .*: 0.5, 0.75, 1; got 0.25"),
    ):
        with pytest.raises(ValueError, match=message):
            load(elastic_run, **size)


def test_a_size_is_published_as_an_ordinary_model(elastic_run, tmp_path):
    screen = Screen(is_quiet=True)
    size = {"orientations": 6, "num_layers": 2, "width": 0.5}
    folder = publish(Publish(checkpoint=str(elastic_run), out=tmp_path / "small", **size), screen)
    description, batch = Description.read(folder / "model.json"), batch_of(elastic_run)
    assert description.name.endswith("-o6-l2-w0.5") and description.elastic is None
    row = table(elastic_run / "test_sizes.csv")[0]
    assert description.metrics["position_mse"]["value"] == float(row["position_mse"])
    expected = load(elastic_run, **size).predict(batch)["position"]
    assert torch.equal(load(folder).predict(batch)["position"], expected)
    with pytest.raises(ValueError, match="num_layers must be None, since the model was trained at"):
        load(folder, num_layers=1)
    untested = Publish(checkpoint=str(elastic_run), out=tmp_path / "other", num_layers=2)
    assert not Description.read(publish(untested, screen) / "model.json").metrics
    whole = publish(Publish(checkpoint=str(elastic_run), out=tmp_path / "whole"), screen)
    assert torch.equal(load(whole, **size).predict(batch)["position"], expected)
    assert trained_model(str(whole)).description.elastic == {
        "orientations": [6, 8], "num_layers": [2, 3], "width": [0.5, 0.75, 1.0],
    }  # fmt: skip


def test_models_of_one_size_change_their_grid_with_a_warning():
    with pytest.warns(UserWarning, match="not trained with several numbers of orientations"):
        other = load("ponita-nbody_small", orientations=12)
    assert isinstance(other.model, Ponita) and len(other.model.orientations) == 12
    with pytest.raises(ValueError, match="width must be None"):
        load("ponita-nbody_small", width=0.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.captured_steps=2"], "trainer.captured_steps: elastic training trains several"),
        (["elastic_start=1.0"], r"elastic_start must be in [0, 1)"),
        (["elastic_samples=-1"], "elastic_samples must be at least 0"),
        (["elastic_teacher=best"], "elastic_teacher"),
        (
            ["trainer.max_epochs=-1", "schedule=constant"],
            "elastic_start=0.5: a fraction of trainer.max_epochs",
        ),
        (["elastic=false", "elastic_layers=[2]"], "elastic_layers: the training has one size only"),
        (["elastic_layers=[4]"], "elastic: num_layers must be at most 3"),
        (["model=tiny"], "elastic: model must be one whose size can be chosen"),
    ],
)
def test_options_that_do_not_go_together(words, message, geozoo_train, capsys):
    keys = {word.partition("=")[0] for word in words}
    given = [word for word in SMALL if word.partition("=")[0] not in keys]
    if "schedule" in keys:
        given.remove("schedule.warmup_epochs=0")
    if "model" in keys:
        given = [word for word in given if not word.startswith("model")]
    words = words if "elastic=false" in words else ["elastic=true", *words]
    assert geozoo_train(*given, *words) in (1, 2)
    assert message in " ".join("".join(capsys.readouterr()).split())


def test_classes_have_no_predicted_targets_but_learn_from_the_data(geozoo_train, capsys, tmp_path):
    replaced = ("dataset", "trainer", "task", "schedule")
    words = [
        "dataset=chirality", "dataset.loader.num_train=16", "trainer.max_epochs=1", "elastic=true",
        *(word for word in SMALL if not word.startswith(replaced)),
    ]  # fmt: skip
    assert geozoo_train(*words, "elastic_teacher=largest", f"run_dir={tmp_path / 'no'}") == 1
    assert "elastic_teacher=largest: task Classification" in "".join(capsys.readouterr())
    assert geozoo_train(*words, f"run_dir={tmp_path / 'run'}") == 0
    rows = table(tmp_path / "run" / "test_sizes.csv")
    assert len(rows) == 3 and all(0 <= float(row["error"]) <= 100 for row in rows)
