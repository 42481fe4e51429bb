"""Runs of the forecasting family through the command lines."""

import csv
import sys

import pytest
from tiny_traffic import TinyTraffic

from geozoo.config import entries
from geozoo.files.pandas_hdf import read_fixed_frame

DATASET = """\
defaults:
  - /task@_global_.task: forecasting
_target_: tiny_traffic.TinyTraffic
loader:
  _target_: geozoo.data.LoaderOptions
  batch_size: 16
"""
TINY = ("dataset=tiny_traffic", "trainer.accelerator=cpu", "trainer.max_epochs=2")
FITTED = ("last_value", "seasonal_naive", "historical_average", "vector_autoregression")
TRAINED = ("per_sensor_linear", "stid", "gram_ode")
SMALL = {
    "gram_ode": (
        "model.hidden_channels=8",
        "model.attention.local_heads=2",
        "model.branches.num_branches=1",
    )
}


@pytest.fixture
def run(configs, geozoo_train, tmp_path):
    (configs / "dataset" / "tiny_traffic.yaml").write_text(DATASET)

    def start(model, *words):
        code = geozoo_train(f"model={model}", *TINY, f"run_dir={model}", *words)
        return code, tmp_path / model

    return start


def values(folder):
    with (folder / "result.csv").open() as file:
        return {row["metric"]: row for row in csv.DictReader(file)}


@pytest.mark.thorough
@pytest.mark.parametrize("model", [*FITTED, *TRAINED])
def test_every_forecaster_runs_to_a_result(run, model):
    code, folder = run(model, *SMALL.get(model, ()))
    assert code == 0
    rows = values(folder)
    assert float(rows["flow_mae"]["value"]) > 0
    assert "stsgcn" in rows["flow_mae"]["split"]
    assert rows["flow_mape"]["unit"] == "%"
    assert {"flow_mae_60min", "flow_rmse_60min"} <= set(rows)
    assert rows["flow_mae"]["checkpoint"].startswith("best.ckpt" + ", epoch " * (model in TRAINED))
    assert ("epoch" in rows["flow_mae"]["checkpoint"]) == (model in TRAINED)
    for name in ("horizon.png", "forecast.png", "checkpoints/best.ckpt", "summary.txt"):
        assert (folder / name).is_file()


@pytest.mark.thorough
def test_the_baseline_column_is_the_last_value(run):
    _, folder = run("last_value", "task.fill=last")
    for row in values(folder).values():
        assert float(row["value"]) == pytest.approx(float(row["baseline"]), rel=1e-5)


@pytest.mark.thorough
def test_a_fitted_model_is_tested_again_from_its_checkpoint(run, monkeypatch, capsys):
    _, folder = run("historical_average")
    from geozoo.runs.evaluation import evaluation

    again = evaluation(str(folder), [])
    assert again.tested.metrics["flow_mae"] == pytest.approx(
        float(values(folder)["flow_mae"]["value"])
    )


@pytest.mark.thorough
def test_a_forecaster_is_refused_for_other_data(geozoo_train, capsys):
    assert geozoo_train("model=stid", "dataset=tiny") == 2
    said = " ".join("".join(capsys.readouterr()).split())
    assert "model=stid forecasts time series; dataset=tiny holds graphs" in said


def test_recipes_of_a_task_serve_its_data_sets():
    from geozoo.config import recipes
    from geozoo.config._entries import standard_task

    served = {e.name for e in entries("dataset") if standard_task(e) == "forecasting"}
    shared = {recipe.variant for recipe in recipes() if recipe.model == "stid"}
    assert shared == {f"{name}{kind}" for name in served for kind in ("", "_quick")} or not served


@pytest.mark.thorough
def test_a_missing_library_is_named_with_the_extra_that_brings_it(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dtaidistance", None)
    code, _ = run("gram_ode", *SMALL["gram_ode"])
    assert code == 2
    assert "pip install 'geozoo[traffic]'" in " ".join("".join(capsys.readouterr()).split())


def test_a_library_that_the_data_needs_is_named_too(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(TinyTraffic, "read", lambda self: read_fixed_frame(__file__))
    code, _ = run("last_value")
    assert code != 0
    assert "dataset: h5 files need h5py" in " ".join("".join(capsys.readouterr()).split())
