"""``trainer.captured_steps``: the same run without Lightning's loop around each step."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from run_comparison import assert_equal, read_last, read_rows
from tiny_configs import TINY, last_of_each

from geozoo.runs.captured_fit import CapturedFit

Train = Callable[..., int]
WORDS = (*TINY, "schedule.warmup_epochs=2", "trainer.check_val_every_n_epoch=2")


@pytest.mark.thorough
@pytest.mark.parametrize("dataset", ["tiny", "tiny_energy"])
@pytest.mark.parametrize("averaging", ["ema_decay=null", "ema_decay=0.8"])
def test_a_captured_run_is_the_ordinary_one(
    dataset: str, averaging: str, geozoo_train: Train, tmp_path: Path
) -> None:
    words = (*WORDS, f"dataset={dataset}", averaging)
    assert geozoo_train(*words, "run_dir=plain") == 0
    assert geozoo_train(*words, "trainer.captured_steps=3", "run_dir=captured") == 0
    one, other = (read_last(tmp_path / name) for name in ("plain", "captured"))
    assert (other["epoch"], other["global_step"]) == (one["epoch"], one["global_step"])
    for name, value in one["state_dict"].items():
        its = other["state_dict"][name.removeprefix("module.")]
        torch.testing.assert_close(its, value, rtol=1e-5, atol=1e-6)
    mine, its = (read_rows(tmp_path / name) for name in ("plain", "captured"))
    assert [row["epoch"] for row in mine] == [row["epoch"] for row in its]
    for row, same in zip(mine, its, strict=True):
        assert {k for k, v in row.items() if v} == {k for k, v in same.items() if v}
        for name, value in row.items():
            if value:
                assert float(same[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-7)
    results = [read_rows(tmp_path / name, "result.csv") for name in ("plain", "captured")]
    for row, same in zip(*results, strict=True):
        assert float(same["value"]) == pytest.approx(float(row["value"]), rel=1e-4)
        assert same["checkpoint"] == row["checkpoint"]


@pytest.mark.thorough
@pytest.mark.parametrize("averaging", ["ema_decay=null", "ema_decay=0.8"])
def test_two_halves_are_the_whole(
    averaging: str, geozoo_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, "dataset=tiny_energy", averaging, "trainer.captured_steps=3")
    assert geozoo_train(*words, "run_dir=whole") == 0
    with monkeypatch.context() as patch:  # the time limit is reached after two epochs
        patch.setattr(CapturedFit, "_is_over", lambda self, timer: self.epoch >= 2)
        assert geozoo_train(*words, "run_dir=halves") == 0
    assert read_last(tmp_path / "halves")["epoch"] == 1
    (row,) = {row["checkpoint"] for row in read_rows(tmp_path / "halves", "result.csv")}
    assert row.endswith("ended after 2 of 4 epochs")
    assert geozoo_train(f"resume={tmp_path / 'halves'}") == 0
    for name in ("last", "best"):
        whole, halves = (read_last(tmp_path / run, name) for run in ("whole", "halves"))
        for part in whole.keys() - {"geozoo", "callbacks"}:
            assert_equal(whole[part], halves[part], f"{name}: {part}")
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "halves")


@pytest.mark.thorough
def test_captured_steps_in_double_precision(geozoo_train: Train, tmp_path: Path) -> None:
    words = (*WORDS, "trainer.precision=64-true")
    assert geozoo_train(*words, "run_dir=plain") == 0
    assert geozoo_train(*words, "trainer.captured_steps=3", "run_dir=captured") == 0
    one, other = (read_last(tmp_path / name)["state_dict"] for name in ("plain", "captured"))
    for name, value in one.items():
        if value.is_floating_point():
            assert other[name].dtype == torch.float64, name
        torch.testing.assert_close(other[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
def test_a_run_goes_on_as_it_began(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*WORDS, "run_dir=plain", "trainer.max_epochs=2") == 0
    capsys.readouterr()
    resumed = f"resume={tmp_path / 'plain'}"
    assert geozoo_train(resumed, "trainer.max_epochs=4", "trainer.captured_steps=2") == 1
    assert "was not written by captured steps" in _on_one_line(capsys)
    words = (*WORDS, "trainer.captured_steps=2", "run_dir=captured", "trainer.max_epochs=2")
    assert geozoo_train(*words) == 0
    capsys.readouterr()
    resumed = f"resume={tmp_path / 'captured'}"
    assert geozoo_train(resumed, "trainer.max_epochs=4", "trainer.captured_steps=null") == 1
    assert "resume it with trainer.captured_steps" in _on_one_line(capsys)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "words",
    [
        ("model=ponita", "dataset=chirality", "model.hidden_channels=8",
         "model.kernel.basis_channels=8", "model.num_layers=1",
         "model.orientations.num_orientations=12"),
        ("model=stid", "dataset=traffic_synthetic", "early_stopping_patience=null"),
    ],
)  # fmt: skip
def test_other_tasks_are_captured_too(
    words: tuple[str, ...], geozoo_train: Train, tmp_path: Path
) -> None:
    """Measures that a task counts by itself, and dropout, which draws as in an ordinary run."""
    few = (
        "trainer.max_epochs=2", "+trainer.limit_train_batches=3", "+trainer.limit_val_batches=2",
        "test=false", "trainer.accelerator=cpu", "trainer.check_val_every_n_epoch=1",
    )  # fmt: skip
    assert geozoo_train(*words, *few, "run_dir=plain") == 0
    assert geozoo_train(*words, *few, "trainer.captured_steps=2", "run_dir=captured") == 0
    for row, same in zip(*(read_rows(tmp_path / n) for n in ("plain", "captured")), strict=True):
        for name in row:
            if name.startswith("val/"):
                assert float(same[name]) == pytest.approx(float(row[name]), rel=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.accumulate_grad_batches=2"], "trainer.accumulate_grad_batches must be 1"),
        (["early_stopping_patience=2"], "early_stopping_patience must be null"),
        (["+trainer.max_steps=4"], "trainer.max_steps must be -1 with captured steps, got 4"),
        (["+trainer.val_check_interval=2"], "trainer.val_check_interval must be 1.0"),
        (["+trainer.gradient_clip_algorithm=value"], "gradient_clip_algorithm must be norm"),
        (["+trainer.limit_train_batches=0.1"], "leaves none of 4 training batches"),
        (["optimizer._target_=torch.optim.NAdam"], "Adam or AdamW for captured steps, got NAdam"),
        (["trainer.captured_steps=0"], "captured_steps must be at least 1 or null, got 0"),
        (["dataset.broken=true"], "the training loss of epoch 1"),
    ],
)
def test_what_the_loop_does_not_know_is_refused(
    words: list[str], message: str, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    status = geozoo_train(
        *last_of_each([*WORDS, "run_dir=run", "trainer.captured_steps=2", *words])
    )
    assert status in (1, 2)
    told = _on_one_line(capsys)
    assert message in told
    assert "Traceback" not in told


@pytest.mark.thorough
def test_the_curve_has_every_epoch(geozoo_train: Train, tmp_path: Path) -> None:
    words = last_of_each([*WORDS, "trainer.captured_steps=2", "trainer.check_val_every_n_epoch=4"])
    assert geozoo_train(*words, "run_dir=run") == 0
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows if row["train/loss"]] == ["1", "2", "3", "4"]
    assert [row["epoch"] for row in rows if row["val/position_mse"]] == ["4"]


def _on_one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())
