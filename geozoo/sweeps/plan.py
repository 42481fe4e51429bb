"""The length of a training run that lasts a given time, with the schedule fitted to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

#: Fraction of the time that validation may take, if that is enough for one.
_VALIDATION_SHARE = 0.1
#: A run has at least this many epochs: the learning rate changes per epoch. Longer epochs are cut.
_LEAST_EPOCHS = 10
#: Validations that cost nothing.
_MANY = 10**9


class _Costs(Protocol):
    """The costs of a run that a plan needs, see `geozoo.runs.probe.StepTime`."""

    @property
    def step_s(self) -> float: ...
    @property
    def val_batch_s(self) -> float: ...
    @property
    def epoch_end_s(self) -> float: ...
    @property
    def train_batches(self) -> int: ...
    @property
    def val_batches(self) -> int: ...


@dataclass(frozen=True)
class TrainingPlan:
    """The length of a run.

    Attributes:
        epochs: number of epochs.
        batches: training batches of an epoch; None: all.
        val_every: epochs between two validations.
        steps: training steps in total.
        seconds: expected time.
    """

    epochs: int
    batches: int | None
    val_every: int
    steps: int
    seconds: float

    def arguments(self, trainer: Mapping[str, Any], schedule: Mapping[str, Any]) -> list[str]:
        """The arguments of ``geozoo train`` for this length.

        Args:
            trainer: the configured trainer, whose number of epochs the schedule belongs to.
            schedule: the configured schedule.
        """
        words = [
            f"trainer.max_epochs={self.epochs}",
            f"trainer.check_val_every_n_epoch={self.val_every}",
        ]
        if self.batches is not None:
            words.append(f"trainer.limit_train_batches={self.batches}")
        return [*words, *fitted_schedule(trainer.get("max_epochs"), schedule, self.epochs)]


def plan_training(costs: _Costs, seconds: float) -> TrainingPlan:
    """The longest run that lasts a given time.

    Epochs that are too long for ten of them are cut to some of their batches, other ones each
    time; validations become rare enough to take about a tenth of the time.

    Args:
        costs: measured costs.
        seconds: time for training and validation.

    Raises:
        ValueError: If not even one step and one validation fit.
    """
    validation = costs.val_batch_s * costs.val_batches
    if costs.step_s + costs.epoch_end_s + validation > seconds:
        raise ValueError(
            f"minutes: one step takes {costs.step_s:.3g} s and one validation {validation:.3g} s, "
            f"more than the {seconds:.3g} s of a run"
        )
    rare = max(1, int(_VALIDATION_SHARE * seconds / validation)) if validation else _MANY
    training = costs.step_s * costs.train_batches + costs.epoch_end_s
    epochs = int(seconds / (training + validation))  # with a validation in each
    if epochs > rare:
        epochs = int((seconds - rare * validation) / training)
    if epochs >= _LEAST_EPOCHS:
        every = math.ceil(epochs / rare)
        expected = epochs * training + math.ceil(epochs / every) * validation
        return TrainingPlan(epochs, None, every, epochs * costs.train_batches, expected)
    return _cut(costs, seconds, validation, min(rare, _LEAST_EPOCHS))


def _cut(costs: _Costs, seconds: float, validation: float, count: int) -> TrainingPlan:
    """Ten short epochs, or fewer if these would have no step, with a number of validations."""
    left = seconds - count * validation
    epochs = max(1, min(_LEAST_EPOCHS, int(left / (costs.step_s + costs.epoch_end_s))))
    every = math.ceil(epochs / count)
    number = math.ceil(epochs / every)
    left = seconds - number * validation - epochs * costs.epoch_end_s
    batches = max(1, min(costs.train_batches, int(left / costs.step_s / epochs)))
    expected = epochs * (batches * costs.step_s + costs.epoch_end_s) + number * validation
    return TrainingPlan(epochs, batches, every, epochs * batches, expected)


def fitted_schedule(before: int | None, schedule: Mapping[str, Any], epochs: int) -> list[str]:
    """The epochs of a schedule, scaled to another number of epochs, as arguments.

    Args:
        before: number of epochs that the schedule was written for; None or -1: unlimited, then
            only too long warm-ups are shortened.
        schedule: its config.
        epochs: the number of epochs.

    >>> fitted_schedule(100, {"warmup_epochs": 10}, 20)
    ['schedule.warmup_epochs=2']
    >>> fitted_schedule(100, {"warmup_epochs": 0, "milestones": [50, 75]}, 20)
    ['schedule.warmup_epochs=0', 'schedule.milestones=[10,15]']
    """
    factor = epochs / before if before and before > 0 else 1.0
    words = []
    if "warmup_epochs" in schedule:
        warmup = min(round(schedule["warmup_epochs"] * factor), max(0, epochs // 2))
        words.append(f"schedule.warmup_epochs={warmup}")
    if "milestones" in schedule:
        scaled = sorted({max(1, round(each * factor)) for each in schedule["milestones"]})
        words.append(f"schedule.milestones=[{','.join(map(str, scaled))}]")
    return words
