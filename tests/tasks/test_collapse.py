"""A run whose samples fall apart while its loss looks healthy."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from test_generation import make_task

from geozoo.diffusion import KarrasDiffusion
from geozoo.tasks._collapse import CollapseWatch

HEALTHY = [(10.0, 2.0), (60.0, 1.0), (93.0, 0.8)]


def told(history: list[tuple[float, float]], num_samples: int = 100) -> list[list[str]]:
    watch = CollapseWatch(num_samples)
    return [
        watch.validated({"molecule_stability": value, "loss": loss}, epoch)
        for epoch, (value, loss) in enumerate(history, 1)
    ]


def test_a_fall_at_a_steady_loss_is_told_once_by_name() -> None:
    messages = told([*HEALTHY, (3.0, 0.79), (0.0, 0.79)])
    assert [len(found) for found in messages] == [0, 0, 0, 1, 0]
    (message,) = messages[3]
    assert message.startswith("collapse: val/molecule_stability is 3 % in epoch 4, after 93 %")
    assert "val/loss did not rise (0.8, now 0.79)" in message


def test_a_second_fall_after_a_recovery_is_told_again() -> None:
    assert [len(m) for m in told([*HEALTHY, (3.0, 0.8), (90.0, 0.8), (2.0, 0.8)])][3:] == [1, 0, 1]


@pytest.mark.parametrize(
    "last",
    [(60.0, 0.8), (3.0, 1.2)],
    ids=["a fall of a third", "a loss that rises tells itself"],
)
def test_other_falls_are_no_collapse(last: tuple[float, float]) -> None:
    assert not any(told([*HEALTHY, last]))


def test_the_noise_of_few_samples_is_no_collapse() -> None:
    few, many = told([(7.0, 1.0), (1.0, 1.0)]), told([(7.0, 1.0), (1.0, 1.0)], num_samples=10_000)
    assert not any(few) and len(many[1]) == 1


def test_validations_without_samples_change_nothing() -> None:
    watch = CollapseWatch(100)
    assert watch.validated({"loss": 1.0}, 1) == [] and watch.best == {}


def test_a_restored_watch_goes_on() -> None:
    watch, other = CollapseWatch(100), CollapseWatch(100)
    watch.validated({"atom_stability": 95.0, "loss": 1.0}, 7)
    other.load_state_dict(watch.state_dict())
    assert "after 95 % in epoch 7" in other.validated({"atom_stability": 5.0, "loss": 1.0}, 8)[0]
    assert other.fallen == {"atom_stability"}


@pytest.mark.parametrize("on_collapse", ["warn", "stop"])
def test_the_task_warns_and_stops(on_collapse: str, caplog: pytest.LogCaptureFixture) -> None:
    task = make_task(
        KarrasDiffusion(num_steps=2), val_samples=50, test_samples=0, on_collapse=on_collapse
    )
    trainer = SimpleNamespace(
        sanity_checking=False, should_stop=False, current_epoch=3, lr_scheduler_configs=[]
    )
    task._trainer = trainer
    for stability in (90.0, 1.0):
        values = {"molecule_stability": stability, "loss": 1.0}
        task.val_errors.update(
            {name: torch.tensor([value]) for name, value in values.items()},
            {name: torch.ones(1) for name in values},
        )
        with caplog.at_level(logging.WARNING):
            task.validation_values()
    assert "collapse: val/molecule_stability is 1 %" in caplog.text
    assert trainer.should_stop == (on_collapse == "stop")

    checkpoint = {"collapse": task.collapse.state_dict(), "state_dict": task.state_dict()}
    resumed = make_task(KarrasDiffusion(num_steps=2), test_samples=0, on_collapse=on_collapse)
    resumed.on_load_checkpoint(checkpoint)
    resumed._trainer = trainer = SimpleNamespace(should_stop=False, lr_scheduler_configs=[])
    resumed.on_train_start()
    assert trainer.should_stop == (on_collapse == "stop")


def test_stability_selects_the_checkpoint_if_every_validation_samples() -> None:
    def monitor(**options: object) -> str:
        return make_task(KarrasDiffusion(num_steps=2), test_samples=0, **options).monitor

    assert monitor() == "val/loss"
    assert monitor(val_samples=5) == "val/molecule_stability"
    assert monitor(val_samples=5, sample_every=2) == "val/loss"
    assert monitor(val_samples=5, monitor="val/atom_stability") == "val/atom_stability"
    for options in ({}, {"val_samples": 5, "sample_every": 2}):
        with pytest.raises(ValueError, match="needs samples in every validation"):
            monitor(monitor="val/molecule_stability", **options)


def test_unknown_reactions_are_refused() -> None:
    with pytest.raises(ValueError, match="on_collapse"):
        make_task(KarrasDiffusion(), on_collapse="ignore")
