"""Trained models tested on data of the zoo: their own, or others that they can read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from geozoo.cli._arguments import Publish
from geozoo.cli._publishing import publish
from geozoo.config import ConfigError
from geozoo.results.rows import read_results
from geozoo.runs.errors import RunError
from geozoo.runs.transfer import evaluation_elsewhere

SIMULATED = (
    "dataset=traffic_synthetic", "dataset.num_sensors=6", "dataset.num_days=15",
    "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def forecaster(run_once, tmp_path, monkeypatch) -> Path:
    """A run of STID on a small simulated network."""
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    words = ("model=stid", "model.hidden_channels=8", "trainer.max_epochs=1")
    return run_once("trained", *SIMULATED, *words)


@pytest.mark.thorough
def test_the_data_of_the_training_give_the_numbers_of_the_run(forecaster, tmp_path):
    from geozoo.report.screen import Screen

    published = tmp_path / "published"
    publish(Publish(checkpoint=str(forecaster), out=published, name="small"), Screen(is_quiet=True))
    outcome = evaluation_elsewhere(str(published), SIMULATED)
    for row in read_results(forecaster / "result.csv"):
        assert outcome.tested.metrics[row.metric] == pytest.approx(row.value, rel=1e-6)
    assert outcome.tested.note == ""


@pytest.mark.thorough
def test_another_protocol_measures_by_its_own_rules(forecaster):
    given = evaluation_elsewhere(str(forecaster), SIMULATED).task.spec.record.rules
    outcome = evaluation_elsewhere(str(forecaster), [*SIMULATED, "protocol=dcrnn"])
    rules = outcome.task.spec.record.rules
    assert rules != given and "nonzero" in str(rules["masks"])
    assert "its test set may contain training samples" in outcome.tested.note


def _with(word):
    """The simulated data with one argument in the place of its own, as each key is given once."""
    key = word.partition("=")[0]
    return [*(own for own in SIMULATED if own.partition("=")[0] != key), word]


def test_other_sensors_are_refused_before_any_test(forecaster):
    with pytest.raises(RunError, match="num_nodes is 6 for the model and 7 here"):
        evaluation_elsewhere(str(forecaster), _with("dataset.num_sensors=7"))


@pytest.mark.thorough
def test_what_stood_for_a_missing_reading_does_so_again(run_once, tmp_path):
    def table(name, missing):
        lines = ["time,a,b"]
        for hour in range(24 * 15):
            cell = missing if hour % 7 == 3 else str(20 + hour % 24)
            lines.append(f"2024-06-{1 + hour // 24:02} {hour % 24:02}:00,{cell},{30 + hour % 24}")
        (tmp_path / name).write_text("\n".join(lines))
        return ["dataset=traffic_csv", f"dataset.path={tmp_path / name}"]

    words = ("model=stid", "model.hidden_channels=8", "trainer.max_epochs=1")
    rules = ("dataset.zero_is_missing=true", "dataset.missing=[-9999]", "trainer.accelerator=cpu")
    run = run_once("trained", *table("empty.csv", ""), *rules, *words)
    expected = evaluation_elsewhere(str(run), table("empty.csv", "")).tested.metrics
    for missing in ("0", "-9999"):
        assert evaluation_elsewhere(str(run), table("t.csv", missing)).tested.metrics == expected
    changed = [*table("t.csv", "-9999"), "dataset.missing=[]"]
    assert evaluation_elsewhere(str(run), changed).tested.metrics["value_mae"] > 100


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("model.width=3", RunError, "the model is fixed"),
        ("dataset.sensors=3", ConfigError, "dataset.sensors: unknown key"),
        ("task.los=mse", ConfigError, "task.los: unknown key"),
        ("dataset=nbdoy", ConfigError, "unknown dataset 'nbdoy'. Did you mean nbody"),
    ],
)
def test_words_that_do_not_fit(word, error, message, forecaster):
    with pytest.raises(error, match=message):
        evaluation_elsewhere(str(forecaster), _with(word))


def test_the_command_tests_a_model_of_the_zoo(geozoo_train, monkeypatch, tmp_path, capsys):
    from geozoo.cli.evaluate import main

    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    words = ("checkpoint=ponita-nbody_small", "dataset.source=simulated", "dataset.num_train=8")
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", *words, "trainer.accelerator=cpu"])
    with pytest.raises(SystemExit):  # the name of a key
        main()
    assert "dataset.source" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", "save=true", *words[:1]])
    with pytest.raises(SystemExit):
        main()
    assert "save=true completes the record of a run" in capsys.readouterr().err
