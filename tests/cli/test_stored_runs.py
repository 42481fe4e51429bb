"""Runs and models that earlier versions have written are tested, continued and predicted with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import geozoo
from geozoo.cli.main import main
from geozoo.results.rows import read_results
from geozoo.runs.evaluation import evaluation

STORED = Path(__file__).resolve().parents[1] / "stored"
FORMATS = sorted(path.name for path in STORED.glob("format_*"))
#: Of a model of each family its input, and what its version predicted.
PREDICTED = {"potential": ("new.xyz", "potential.npz"), "forecaster": ("last.csv", "forecast.csv")}


@pytest.fixture(params=FORMATS)
def stored(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder of a format, and the working directory."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED / request.param, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", PREDICTED)
def test_a_stored_run_has_its_recorded_errors(stored: Path, name: str) -> None:
    found = evaluation(name, []).tested.metrics
    recorded = {row.metric: row.value for row in read_results(stored / name / "result.csv")}
    known = {name: found[name] for name in recorded}  # later versions may measure more
    assert known == pytest.approx(recorded, rel=1e-4)


@pytest.mark.parametrize("name", PREDICTED)
def test_a_stored_run_is_continued(
    stored: Path, name: str, geozoo_train: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stored)
    before = (stored / name / "checkpoints" / "last.ckpt").read_bytes()
    assert geozoo_train(f"resume={stored / name}", "trainer.max_epochs=3") == 0
    assert (stored / name / "checkpoints" / "last.ckpt").read_bytes() != before
    rows = pd.read_csv(stored / name / "metrics.csv")
    assert list(rows["epoch"]) == [1, 2, 3]
    assert np.isfinite(rows["train/loss"].dropna()).all()


@pytest.mark.parametrize("kind", ["", "published_"])
@pytest.mark.parametrize("name", PREDICTED)
def test_a_stored_model_predicts_what_it_did(
    stored: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, expected = PREDICTED[name]
    output = f"again{Path(expected).suffix}"
    words = ["predict", f"checkpoint={kind}{name}", f"input={source}", f"out={output}"]
    monkeypatch.setattr("sys.argv", ["geozoo", *words])
    main()
    if expected.endswith(".csv"):
        again, before = pd.read_csv(output), pd.read_csv(expected)
        assert list(again) == list(before)
        assert (again["time"] == before["time"]).all()
        sensors = [column for column in before if column != "time"]
        np.testing.assert_allclose(again[sensors], before[sensors], rtol=1e-4)
    else:
        with np.load(output) as again, np.load(expected) as before:
            for field in ("energy", "force"):
                np.testing.assert_allclose(again[field], before[field], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", PREDICTED)
def test_a_stored_model_is_loaded(stored: Path, name: str) -> None:
    run, published = geozoo.load(stored / name), geozoo.load(stored / f"published_{name}")
    assert run.units == published.units
    state = published.task.state_dict()
    for key, value in run.task.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[key].numpy())
