"""A task that the package does not know draws itself into the report of its run."""

from __future__ import annotations

import pytest
from PIL import Image
from test_page import Seen
from tiny_configs import DATASET, TINY
from tiny_graphs import TinyModel, tiny_data
from tiny_task import Drift

from geozoo.figures import Figure, split_panels
from geozoo.report import write
from geozoo.tasks import GraphTask


@pytest.fixture
def drift_run(configs, run_once):
    (configs / "task").mkdir()
    (configs / "task" / "drift.yaml").write_text("_target_: tiny_task.Drift\nseed: ${seed}\n")
    dataset = DATASET.format(task="drift", kind="dynamics")
    (configs / "dataset" / "drifting.yaml").write_text(dataset)
    return run_once("drifting", *TINY, "dataset=drifting", "trainer.max_epochs=1")


@pytest.mark.thorough
def test_the_report_shows_the_figure_of_a_new_task(drift_run):
    page = Seen(drift_run / "report.html")
    assert page.figures == ["loss", "parity", "errors", "lengths", "worst"]
    assert page.panels["lengths"] == ["lengths"]
    assert "Errors of the drift in order" in page.text
    worst = [title for title, _ in split_panels(drift_run / "worst.png")]
    assert all("4 drifting nodes" in title for title in worst) and len(worst) == 6
    with Image.open(drift_run / "lengths.png") as picture:
        assert picture.width > 200


def test_the_report_says_how_a_new_task_is_used(drift_run):
    page = Seen(drift_run / "report.html")
    assert "The model takes clouds." in page.text
    assert f"# all drifts\ndrift-away {drift_run}" in page.blocks["commands"]
    assert page.blocks["python"].endswith("drift(model)")
    assert "  drift-away drifting" in (drift_run / "summary.txt").read_text().splitlines()


class _Run:
    is_tested = False
    datamodule = tiny_data()

    def curves(self):
        return {"train/loss": ([], [])}


def test_a_run_without_a_test_has_no_figures_of_one():
    data = tiny_data()
    task = Drift(TinyModel(**data.spec.model_arguments()), data.spec)
    assert task.figures(_Run()) == []
    run = _Run()
    run.curves = lambda: {"train/loss": ([1], [2.0])}
    assert [figure.file_name for figure in task.figures(run)] == ["loss.png"]


def test_two_figures_of_one_name_are_refused(drift_run, monkeypatch, geozoo_train):
    twice = [Figure("same", "caption", lambda path: None)] * 2
    monkeypatch.setattr(GraphTask, "figures", lambda task, outcome: twice)
    run = type("Run", (), {"folder": drift_run, "task": Drift.__new__(Drift)})
    with pytest.raises(ValueError, match=r"figures of Drift must have different names.*'same'"):
        write.draw(run)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "loss.png", "-x", "a b"])
def test_a_name_that_is_no_file_is_refused(name):
    with pytest.raises(ValueError, match="figure name must consist of"):
        Figure(name, "caption", lambda path: None)


def test_a_figure_says_what_it_shows():
    with pytest.raises(ValueError, match="caption of figure 'loss'"):
        Figure("loss", " ", lambda path: None)
