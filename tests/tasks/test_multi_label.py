"""Labels of which some are missing, and classes of nodes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from geozoo.data import GeometricSpec, GraphStore
from geozoo.models import PaiNN, Ponita
from geozoo.tasks import Classification, MultiLabel, Properties

SIZES = torch.tensor([2, 3, 4, 2])


def store() -> GraphStore:
    generator = torch.Generator().manual_seed(0)
    return GraphStore(
        SIZES,
        node={
            "pos": torch.randn(11, 3, generator=generator), "x": torch.ones(11, 1),
            "part": torch.tensor([0, 1, 0, 0, 2, 1, 1, 0, 0, 0, 2]),
        },
        graph={
            "a": torch.tensor([1.0, 0.0, 1.0, 0.0]).double(),
            "b": torch.tensor([0.0, 0.0, 1.0, 0.0]).double(),
            "has_b": torch.tensor([True, False, True, False]),
        },
    )  # fmt: skip


LABELS = GeometricSpec(
    level="graph", dim=3, in_channels=1, out_channels=2, vector_fields=("pos",), target="a",
    statistics={"targets": ["a", "b"], "labels": [0.5, 0.25]},
)  # fmt: skip
PARTS = GeometricSpec(
    level="node", dim=3, in_channels=1, out_channels=3, vector_fields=("pos",), target="part",
    statistics={"targets": ["part"], "classes": ["x", "y", "z"]},
)  # fmt: skip


def labels_task() -> MultiLabel:
    torch.manual_seed(0)
    return MultiLabel(PaiNN(1, 2, hidden_channels=8, num_layers=1, radius=5.0), LABELS).eval()


def data_of(whole: GraphStore) -> SimpleNamespace:
    every = torch.arange(4)
    return SimpleNamespace(
        store=whole, splits={"train": every, "val": every, "test": every},
        calibration_batch=lambda processes: whole.gather([0, 1, 2, 3]), augmentation_conflict=None,
    )  # fmt: skip


def test_missing_labels_do_not_count() -> None:
    task, whole = labels_task(), store()
    odd = whole.with_fields(graph={"b": torch.tensor([0.0, 1.0, 1.0, 1.0]).double()})
    batches = [each.gather([0, 1, 2, 3]) for each in (whole, odd)]
    losses = [float(task.loss(batch)["loss"].detach()) for batch in batches]
    assert losses[0] == losses[1]
    scores = task(batches[0]).scalar.detach()
    known = [(scores[i, 0], 1.0 - i % 2) for i in range(4)] + [(scores[0, 1], 0), (scores[2, 1], 1)]
    each = [
        functional.binary_cross_entropy_with_logits(s, torch.tensor(float(t))) for s, t in known
    ]
    assert losses[0] == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)
    assert task.loss_counts(whole)["loss"].tolist() == [2, 1, 2, 1]
    for batch in batches:
        task.val_errors.update(task.predict(batch), task.targets(batch))
        found = task.validation_values()
        better = float((scores[2, 1] > scores[0, 1]).double())
        assert float(found["b_auroc"]) == better
        assert float(found["mean_auroc"]) == pytest.approx((float(found["a_auroc"]) + better) / 2)


def test_predictions_are_probabilities_and_the_baseline_shares() -> None:
    task = labels_task()
    batch = store().gather([0, 1, 2, 3])
    predicted = task.predict(batch)
    assert torch.allclose(predicted["b"], task(batch).scalar[:, 1].double().sigmoid())
    assert task.predict_baseline(batch)["b"].tolist() == [0.25] * 4
    assert task.monitor == "val/mean_auroc"
    assert set(task.metric_units()) == {"mean_auroc", "a_auroc", "b_auroc"}


def test_labels_that_are_all_equal_have_no_area() -> None:
    task, whole = labels_task(), store()
    equal = whole.with_fields(graph={"b": torch.zeros(4).double()})
    with pytest.warns(UserWarning, match="in the val split, as they are all equal.*: b; means"):
        task.check_part(data_of(equal), "val")
    batch = equal.gather([0, 1, 2, 3])
    task.val_errors.update(task.predict(batch), task.targets(batch))
    assert set(task.validation_values()) == {"a_auroc", "mean_auroc"}
    none = equal.with_fields(graph={"a": torch.ones(4).double()})
    with pytest.raises(ValueError, match=r"every label is all equal.*in the test split \(4 graphs"):
        task.check_part(data_of(none), "test")


def test_the_data_decide_the_task() -> None:
    node = {"_target_": "geozoo.tasks.Properties", "augment": True, "monitor": None, "seed": 1}
    assert Properties.task_node(LABELS, node) == {
        "_target_": "geozoo.tasks.MultiLabel", "augment": True, "seed": 1,
        "monitor": "val/mean_auroc",
    }  # fmt: skip
    with pytest.raises(ValueError, match="one output per label"):
        MultiLabel(PaiNN(1, 2), replace(LABELS, statistics={}))


def test_classes_of_nodes() -> None:
    torch.manual_seed(0)
    model = Ponita(1, 3, hidden_channels=8, num_layers=1, level="node")
    task = Classification(model, PARTS).eval()
    whole = store()
    task.prepare(data_of(whole))
    batch = whole.gather([0, 1, 2, 3])
    scores = task.predict(batch)["class"]
    assert scores.shape == (11, 3) and task.quantity_levels() == {"class": "node"}
    loss = functional.cross_entropy(scores, batch.part)
    assert float(task.loss(batch)["loss"].detach()) == pytest.approx(float(loss), rel=1e-5)
    assert task.loss_counts(whole)["loss"].tolist() == SIZES.tolist()
    task.validation_step(batch, 0)
    found = {name: float(value) for name, value in task.validation_values().items()}
    right = scores.argmax(1) == batch.part
    assert found["error"] == pytest.approx(100 * float((~right).double().mean()))
    recalls = [right[batch.part == c].double().mean() for c in range(3)]
    assert found["class_accuracy"] == pytest.approx(100 * float(sum(recalls)) / 3, rel=1e-4)
    both = [(right & (batch.part == c)).sum() for c in range(3)]
    either = [((scores.argmax(1) == c) | (batch.part == c)).sum() for c in range(3)]
    iou = [float(i / u) for i, u in zip(both, either, strict=True)]
    assert found["mean_iou"] == pytest.approx(100 * sum(iou) / 3, rel=1e-4)
    assert task.predict_baseline(batch)["class"].argmax(1).tolist() == [0] * 11
    each = functional.cross_entropy(scores, batch.part, reduction="none")
    errors = task.graph_errors({"class": scores}, task.targets(batch), batch)
    assert float(errors[1]) == pytest.approx(float(each[2:5].mean()), rel=1e-5)
