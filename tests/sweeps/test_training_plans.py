"""How long a run of a given time is, and the schedule that fits it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geozoo.sweeps.curve import CurveLength
from geozoo.sweeps.plan import TrainingPlan, fitted_schedule, plan_training


@dataclasses.dataclass
class Costs:
    """Measured costs."""

    step_s: float = 0.1
    val_batch_s: float = 0.05
    epoch_end_s: float = 0.0
    train_batches: int = 10
    val_batches: int = 2


def _seconds(plan: TrainingPlan, costs: Costs) -> float:
    """What a plan lasts, counted epoch by epoch as the trainer does."""
    batches = plan.batches or costs.train_batches
    total = 0.0
    for epoch in range(1, plan.epochs + 1):
        total += batches * costs.step_s + costs.epoch_end_s
        if epoch % plan.val_every == 0 or epoch == plan.epochs:  # the last one always is
            total += costs.val_batches * costs.val_batch_s
    return total


@settings(max_examples=300, deadline=None)
@given(
    step=st.floats(1e-4, 5.0), val=st.floats(1e-4, 5.0), end=st.floats(0.0, 0.5),
    batches=st.integers(1, 3000), val_batches=st.integers(1, 200), seconds=st.floats(1.0, 3600.0),
)  # fmt: skip
def test_a_plan_fills_its_time_and_never_exceeds_it(
    step: float, val: float, end: float, batches: int, val_batches: int, seconds: float
) -> None:
    costs = Costs(step, val, end, batches, val_batches)
    if step + end + val * val_batches > seconds:
        with pytest.raises(ValueError, match="minutes: one step takes"):
            plan_training(costs, seconds)
        return
    plan = plan_training(costs, seconds)
    spent = _seconds(plan, costs)
    assert spent <= seconds * 1.0001 and plan.seconds == pytest.approx(spent)
    assert plan.steps == plan.epochs * (plan.batches or batches)
    # What is left is less than an epoch or a step of each, and what validations may take.
    number = plan.batches or batches
    epoch = max(plan.epochs * step if plan.batches else 0.0, number * step + end)
    assert spent + epoch + val * val_batches + 0.1 * seconds > seconds * 0.999


def test_long_epochs_are_cut_so_that_the_learning_rate_can_fall() -> None:
    plan = plan_training(Costs(step_s=0.1, train_batches=10_000), 60.0)
    assert plan.epochs == 10 and plan.batches is not None
    assert 55 < plan.batches * 10 * 0.1 <= 60
    words = plan.arguments({"max_epochs": 1000}, {"warmup_epochs": 100})
    assert f"trainer.limit_train_batches={plan.batches}" in words
    assert "trainer.max_epochs=10" in words and "schedule.warmup_epochs=1" in words


def test_short_epochs_are_validated_rarely() -> None:
    plan = plan_training(Costs(step_s=0.01, val_batch_s=0.5, train_batches=5), 60.0)
    assert plan.batches is None and plan.val_every > 10
    assert plan.epochs >= 5 * plan.val_every


@pytest.mark.parametrize(
    ("before", "schedule", "epochs", "words"),
    [
        (100, {"warmup_epochs": 10}, 10, ["schedule.warmup_epochs=1"]),
        (10, {"warmup_epochs": 2}, 100, ["schedule.warmup_epochs=20"]),
        (None, {"warmup_epochs": 8}, 10, ["schedule.warmup_epochs=5"]),
        (-1, {"warmup_epochs": 1}, 10, ["schedule.warmup_epochs=1"]),
        (100, {"milestones": [1, 2, 90]}, 10, ["schedule.milestones=[1,9]"]),
        (100, {}, 10, []),
    ],
)
def test_a_schedule_is_scaled(before, schedule, epochs, words) -> None:
    assert fitted_schedule(before, schedule, epochs) == words


def test_all_sizes_of_a_curve_take_equal_steps() -> None:
    length = CurveLength(epochs=20, val_every=2, batch_size=5, largest=800)
    assert [length.epochs_of(size) for size in (100, 400, 800)] == [160, 40, 20]
    words = length.arguments(100, 3, {"warmup_epochs": 2})
    assert words == [
        "trainer.max_epochs=160", "trainer.check_val_every_n_epoch=16",
        "schedule.warmup_epochs=16", "dataset.loader.num_train=100",
        "dataset.loader.subset_seed=3",
    ]  # fmt: skip
    assert dataclasses.replace(length, is_equal=False).epochs_of(100) == 20
