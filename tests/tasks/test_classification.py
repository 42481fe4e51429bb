"""The classification task."""

from __future__ import annotations

import pytest
import torch
from tiny_graphs import SkewedModel, TinyModel

from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.tasks import Classification


def make_spec(**changes: object) -> GeometricSpec:
    values = {"level": "graph", "dim": 3, "in_channels": 1, "out_channels": 3, "target": "y"}
    return GeometricSpec(vector_fields=("pos",), **{**values, **changes})


def make_batch() -> GraphBatch:
    generator = torch.Generator().manual_seed(0)
    node = {
        "pos": torch.randn(24, 3, generator=generator),
        "x": torch.randn(24, 1, generator=generator),
    }
    store = GraphStore(torch.full((6,), 4), node, {"y": torch.tensor([0, 1, 2, 0, 1, 0])})
    return store.gather(torch.arange(6))


def make_task(model: type = TinyModel, **options: object) -> Classification:
    torch.manual_seed(0)
    spec = make_spec()
    return Classification(model(**spec.model_arguments()), spec, **options)


def errors(task: Classification) -> dict[str, float]:
    task.validation_step(make_batch(), 0)
    return {name: value.item() for name, value in task.val_errors.compute().items()}


def test_loss_is_cross_entropy() -> None:
    task, batch = make_task(), make_batch()
    scores = task.predict(batch)["class"].log_softmax(1)
    expected = -scores[torch.arange(6), batch.y].mean()
    torch.testing.assert_close(task.loss(batch)["loss"], expected)


def test_error_is_the_percentage_of_wrong_classes() -> None:
    task, batch = make_task(), make_batch()
    wrong = (task.predict(batch)["class"].argmax(1) != batch.y).double().mean().item()
    assert errors(task)["error"] == pytest.approx(100 * wrong)


def test_rotations_do_not_change_the_error_of_an_equivariant_model() -> None:
    found = errors(make_task())
    assert found["error"] == found["rotated_error"]
    task, batch = make_task(SkewedModel), make_batch()
    turned = task._rotated(batch)
    assert (task.predict(batch)["class"] - task.predict(turned)["class"]).abs().max() > 1e-3


def test_rotations_do_not_depend_on_the_batch() -> None:
    task, batch = make_task(), make_batch()
    assert torch.equal(task._rotated(batch).pos, task._rotated(batch).pos)


def test_baseline_is_the_majority_class() -> None:
    task, batch = make_task(), make_batch()
    task.frequent.fill_(2)
    assert task.predict_baseline(batch)["class"].argmax(1).tolist() == [2] * 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out_vectors": 1}, "got 3 and 1 vectors"),
        ({"out_channels": 1}, "got 1 and 0 vectors"),
    ],
)
def test_unsuitable_data_raise(changes: dict, message: str) -> None:
    spec = make_spec(**changes)
    with pytest.raises(ValueError, match=message):
        Classification(torch.nn.Linear(1, 1), spec)
