"""Averages of weights that begin after a number of steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule

from geozoo.runs.averaging import WeightsAveraged
from geozoo.tasks.captured import WeightAverage

WEIGHTS = (1.0, 2.0, 4.0, 8.0, 16.0)


class OneWeight(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))


def of_callback(start: int) -> list[float]:
    module, callback = OneWeight(), WeightsAveraged(0.5, start)
    trainer: Any = SimpleNamespace(precision="32-true", global_step=0)
    callback.setup(trainer, module, "fit")
    found = []
    for weight in WEIGHTS:
        module.weight.data.fill_(weight)
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, None, None, 0)
        found.append(callback._average_model.module.weight.item())
    return found


def of_captured_steps(start: int, resumed_after: int | None = None) -> list[float]:
    weight = torch.zeros(1)
    average, found = WeightAverage([weight], 0.5, start), []
    for step, value in enumerate(WEIGHTS):
        if step == resumed_after:
            values = average.values[0].clone()
            average = WeightAverage([weight], 0.5, start)
            average.values[0].copy_(values)
            average.resume(step)
        weight.fill_(value)
        average.update()
        found.append(average.values[0].item())
    return found


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0, [1.0, 1.5, 2.75, 5.375, 10.6875]),
        (1, [1.0, 1.5, 2.75, 5.375, 10.6875]),  # the first average is a copy in any case
        (3, [1.0, 2.0, 4.0, 6.0, 11.0]),
        (9, list(WEIGHTS)),
    ],
)
def test_the_average_is_a_copy_until_it_begins(start: int, expected: list[float]) -> None:
    assert of_callback(start) == expected
    assert of_captured_steps(start) == expected
    assert of_captured_steps(start, resumed_after=2) == expected
    assert of_captured_steps(start, resumed_after=4) == expected
