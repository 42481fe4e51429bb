"""What a log says about a training that has no terminal."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from geozoo.runs import progress as module


def lines(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    epochs: int,
    seconds: float,
) -> list[str]:
    """The messages of a training with 40 batches an epoch, each of which takes some seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, logger="geozoo")
    trainer: Any = SimpleNamespace(
        max_epochs=epochs, current_epoch=0, num_training_batches=40, is_global_zero=True,
        callback_metrics={"val/loss": 0.25, "other": 1.0}, callbacks=[], sanity_checking=False,
    )  # fmt: skip
    callback = module.ProgressLines("val/loss")
    module_: Any = None
    callback.on_train_start(trainer, module_)
    for trainer.current_epoch in range(epochs):
        callback.on_train_epoch_start(trainer, module_)
        for number in range(40):
            now[0] += seconds
            callback.on_train_batch_end(trainer, module_, None, None, number)
        trainer.callback_metrics["val/loss"] = abs(trainer.current_epoch - 1.5) + 0.25
        callback.on_validation_end(trainer, module_)
        callback.on_train_epoch_end(trainer, module_)
    return [record.getMessage() for record in caplog.records]


def test_long_epochs_say_how_far_they_are(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lines(caplog, monkeypatch, epochs=1, seconds=30.0)
    parts = [f"epoch 1 of 1: {tenth} % of its batches" for tenth in range(10, 100, 10)]
    assert said == [*parts, "epoch 1 of 1: val/loss 1.75, best 1.75 in epoch 1"]


def test_a_line_says_the_best_and_the_time_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lines(caplog, monkeypatch, epochs=4, seconds=1.0)
    assert said == [
        "epoch 1 of 4: val/loss 1.75, best 1.75 in epoch 1, 2 min 0 s left",
        "epoch 2 of 4: val/loss 0.75, best 0.75 in epoch 2, 1 min 20 s left",
        "epoch 3 of 4: val/loss 0.75, best 0.75 in epoch 2, 40.0 s left",
        "epoch 4 of 4: val/loss 1.75, best 0.75 in epoch 2",
    ]


def test_the_time_left_begins_anew_and_ends_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    before = module.Progress()
    before.validated(0.5, 3)
    progress = module.Progress()
    progress.load_state_dict(before.state_dict())
    progress.begin(6)
    now[0] += 30.0
    told = progress.line({"train/loss": 2.0}, 7, 10, None)
    assert told == "epoch 7 of 10: train/loss 2, best 0.5 in epoch 3, 1 min 30 s left"
    assert progress.line({}, 7, 10, 20.0).endswith("best 0.5 in epoch 3, 20.0 s left")


def test_more_of_a_score_is_better() -> None:
    progress = module.Progress("val/molecule_stability")
    for epoch, value in enumerate((10.0, 30.0, 20.0), 1):
        progress.validated(value, epoch)
    assert (progress.best, progress.best_epoch) == (30.0, 2)
    again = module.Progress("val/molecule_stability")
    again.load_state_dict(module.Progress("val/molecule_stability").state_dict())
    again.validated(0.0, 1)
    assert again.best == 0.0


def test_lines_within_an_epoch_are_a_minute_apart(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lines(caplog, monkeypatch, epochs=1, seconds=6.0)  # a tenth takes 24 seconds
    assert said[:2] == [
        "epoch 1 of 1: 30 % of its batches", "epoch 1 of 1: 60 % of its batches",
    ]  # fmt: skip


def test_short_or_many_epochs_have_a_line_each_at_most(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(lines(caplog, monkeypatch, epochs=10, seconds=0.1)) == 10
    caplog.clear()
    assert len(lines(caplog, monkeypatch, epochs=100, seconds=30.0)) == 20
