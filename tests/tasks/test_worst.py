"""The graphs of a test with the largest errors."""

from __future__ import annotations

import pytest
import torch
from lightning import Trainer
from tiny_graphs import TinyModel, tiny_data
from tiny_traffic import TinyTraffic

from geozoo.data import LoaderOptions
from geozoo.models import LastValue
from geozoo.tasks import Dynamics, Forecasting, GraphTask, Potential
from geozoo.tasks._worst import WorstCases


def after_a_test(task: GraphTask, data: object) -> GraphTask:
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, inference_mode=False,
    )  # fmt: skip
    trainer.test(task, datamodule=data, verbose=False)
    return task


@pytest.mark.parametrize("kind", ["potential", "dynamics"])
@pytest.mark.parametrize("batch_size", [3, 10])
def test_the_worst_graphs_are_those_with_the_largest_errors(kind, batch_size):
    data = tiny_data(kind, batch_size=batch_size)
    torch.manual_seed(0)
    make = Potential if kind == "potential" else Dynamics
    task = after_a_test(make(TinyModel(**data.spec.model_arguments()), data.spec), data)
    name = task.quantities[0].name
    errors = {}
    for index in data.splits["test"].tolist():
        batch = data.store.gather([index])
        error = task.predict(batch)[name] - task.targets(batch)[name]
        errors[index] = float(error.abs().mean())
    expected = sorted(errors, key=errors.__getitem__, reverse=True)[:6]
    assert task.worst.index.tolist() == expected
    assert task.worst.error.tolist() == pytest.approx([errors[i] for i in expected], rel=1e-4)


def test_missing_targets_are_ignored():
    data = TinyTraffic(loader=LoaderOptions(batch_size=16), missing=0.3)
    task = Forecasting(LastValue(horizon=3), data.spec)
    after_a_test(task, data)
    batch = data.store.gather(task.worst.index)
    truth = task.targets(batch)["flow"]
    error = (task.predict(batch)["flow"] - truth).abs()
    assert truth.isnan().any()
    torch.testing.assert_close(task.worst.error, error.flatten(1).nanmean(1).double())


def test_a_graph_without_targets_is_left_out():
    worst = WorstCases(3)
    worst.add(torch.tensor([1, 2]), torch.tensor([torch.nan, 1.0]))
    assert worst.index.tolist() == [2]
