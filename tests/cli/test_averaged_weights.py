"""Averages of the weights of a training in double precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_configs import TINY

from geozoo.results.rows import read_results
from geozoo.runs.evaluation import evaluation
from geozoo.runs.trained import trained_model

WORDS = ("trainer.precision=64-true", "schedule=constant", "trainer.limit_train_batches=1")


def last(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def of_model(state: dict) -> dict[str, torch.Tensor]:
    return {k: v for k, v in state.items() if k.startswith("model.") and v.is_floating_point()}


@pytest.mark.thorough
@pytest.mark.parametrize("steps", ["trainer.captured_steps=null", "trainer.captured_steps=3"])
def test_averages_of_double_precision_are_double(steps, geozoo_train, tmp_path) -> None:
    for epochs in (1, 2):
        words = (*WORDS, steps, "ema_decay=0.75", f"trainer.max_epochs={epochs}")
        assert geozoo_train(*TINY, *words, f"run_dir=run_{epochs}") == 0
    first = of_model(last(tmp_path / "run_1")["current_model_state"])
    second = of_model(last(tmp_path / "run_2")["current_model_state"])
    averaged = of_model(last(tmp_path / "run_2")["state_dict"])
    moved = 0.0
    for name, value in averaged.items():
        assert value.dtype == first[name].dtype == torch.float64
        expected = 0.75 * first[name] + 0.25 * second[name]
        torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-15, msg=name)
        moved = max(moved, (second[name] - first[name]).abs().max().item())
    assert moved > 1e-4
    model = trained_model(str(tmp_path / "run_2"))
    assert model.dtype == torch.float64
    rows = read_results(tmp_path / "run_2" / "result.csv")
    found = evaluation(str(tmp_path / "run_2"), []).tested.metrics
    assert found == pytest.approx({row.metric: row.value for row in rows}, rel=1e-12)


@pytest.mark.thorough
def test_a_resumed_average_of_double_precision_goes_on(geozoo_train, tmp_path) -> None:
    words = (*WORDS, "ema_decay=0.75")
    assert geozoo_train(*TINY, *words, "trainer.max_epochs=4", "run_dir=whole") == 0
    assert geozoo_train(*TINY, *words, "trainer.max_epochs=2", "run_dir=parts") == 0
    assert geozoo_train("resume=parts", "trainer.max_epochs=4") == 0
    whole, parts = (of_model(last(tmp_path / name)["state_dict"]) for name in ("whole", "parts"))
    for name, value in whole.items():
        assert torch.equal(parts[name], value), name
