"""The task of properties: values, masks, vectors, and what the network need not learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.models import Composition, PaiNN
from geozoo.tasks import Properties

UNITS = {"pos": "angstrom", "a": "eV", "b": "D"}


def store(level: str = "graph", *, vectors: bool = False) -> GraphStore:
    """Three molecules of 2, 3 and 4 atoms, of two elements."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([2, 3, 4])
    x = torch.nn.functional.one_hot(torch.tensor([0, 1, 0, 0, 1, 1, 1, 0, 1]), 2).float()
    node = {"pos": torch.randn(9, 3, generator=generator), "x": x}
    shape = (9,) if level == "node" else (3, 3) if vectors else (3,)
    values = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64) for name in ("a", "b")
    }
    if level == "node":
        return GraphStore(sizes, node={**node, **values})
    return GraphStore(sizes, node=node, graph=values)


def spec(level: str = "graph", *, vectors: bool = False, **changes: object) -> GeometricSpec:
    found = GeometricSpec(
        level=level, dim=3, in_channels=2, out_channels=0 if vectors else 2,
        out_vectors=2 if vectors else 0, vector_fields=("pos", "a", "b") if vectors else ("pos",),
        target="a", units=UNITS,
        statistics={
            "targets": ["a", "b"],
            "a_shift": 2.0, "a_scale": 3.0, "b_shift": -1.0, "b_scale": 0.5,
            "a_references": [10.0, 20.0],
        },
    )  # fmt: skip
    return replace(found, **changes)


def task_of(description: GeometricSpec) -> Properties:
    torch.manual_seed(0)
    model = PaiNN(hidden_channels=8, num_layers=1, radius=5.0, **{
        k: v for k, v in description.model_arguments(PaiNN).items()
    })  # fmt: skip
    return Properties(model, description).eval()


def loss_of(task: Properties, batch: GraphBatch) -> float:
    with torch.no_grad():
        return float(task.loss(batch)["loss"])


def batch_of(data: GraphStore) -> GraphBatch:
    return data.gather([0, 1, 2])


def test_the_baseline_is_shift_and_references() -> None:
    task, batch = task_of(spec()), batch_of(store())
    found = task.predict_baseline(batch)
    # 1 + 1, 2 + 1 and 1 + 3 atoms of the two elements.
    assert found["a"].tolist() == [32.0, 42.0, 72.0]
    assert found["b"].tolist() == [-1.0] * 3
    outputs = task(batch).scalar.double()
    predicted = task.predict(batch)
    assert torch.allclose(predicted["a"], found["a"] + 3 * outputs[:, 0])
    assert torch.allclose(predicted["b"], found["b"] + 0.5 * outputs[:, 1])
    assert task.metric_units() == {
        "a_mae": "eV", "a_rmse": "eV", "b_mae": "D", "b_rmse": "D"
    }  # fmt: skip


def test_the_loss_is_that_of_the_standardised_errors() -> None:
    task, batch = task_of(spec()), batch_of(store())
    predicted = task.predict(batch)
    errors = torch.stack([(predicted["a"] - batch.a) / 3, (predicted["b"] - batch.b) / 0.5])
    assert loss_of(task, batch) == pytest.approx(float(errors.abs().mean()), rel=1e-4)


def test_missing_values_do_not_count() -> None:
    whole, task = store(), task_of(spec())
    known = torch.tensor([True, False, True])
    odd = whole.with_fields(graph={"has_b": known, "b": whole.graph["b"] + 100 * ~known})
    batch, plain = batch_of(odd), batch_of(whole)
    errors = [
        ((task.predict(plain)[n] - getattr(plain, n)) / s).abs() for n, s in (("a", 3), ("b", 0.5))
    ]
    wanted = torch.cat([errors[0], errors[1][known]]).mean()
    assert loss_of(task, batch) == pytest.approx(float(wanted), rel=1e-4)
    assert task.targets(batch)["b"].isnan().tolist() == [False, True, False]
    assert task.loss_counts(odd)["loss"].tolist() == [2, 1, 2]


def test_values_of_atoms() -> None:
    task, data = task_of(spec("node")), store("node")
    batch = batch_of(data)
    found = task.predict_baseline(batch)["a"]
    assert found.tolist() == [12.0, 22.0, 12.0, 12.0, 22.0, 22.0, 22.0, 12.0, 22.0]
    assert task.predict(batch)["b"].shape == (9,)
    assert task.quantity_levels() == {"a": "node", "b": "node"}
    assert task.loss_counts(data)["loss"].tolist() == [4, 6, 8]
    masked = data.with_fields(node={"has_a": torch.arange(9) != 2})
    assert task.loss_counts(masked)["loss"].tolist() == [4, 5, 8]


def test_vectors_rotate_with_the_molecule() -> None:
    statistics = {"targets": ["a", "b"], "a_scale": 3.0, "b_scale": 0.5}
    task = task_of(spec(vectors=True, statistics=statistics))
    batch = batch_of(store(vectors=True))
    angle = torch.tensor(0.7)
    turn = torch.eye(3)
    turn[0, 0], turn[0, 1], turn[1, 0], turn[1, 1] = (
        angle.cos(), -angle.sin(), angle.sin(), angle.cos()
    )  # fmt: skip
    whole = store(vectors=True)
    turned = batch_of(whole.with_fields(node={"pos": whole.node["pos"] @ turn.T}))
    before, after = task.predict(batch)["a"], task.predict(turned)["a"]
    assert before.abs().max() > 1e-4
    assert torch.allclose(after, before @ turn.double().T, atol=1e-7)
    assert not task.predict_baseline(batch)["a"].any()
    found = task.predict(batch)
    errors = [((found[n] - getattr(batch, n)) / s).norm(dim=1) for n, s in (("a", 3.0), ("b", 0.5))]
    assert loss_of(task, batch) == pytest.approx(float(torch.cat(errors).mean()), rel=1e-4)


def test_a_cheaper_method_is_added() -> None:
    task = task_of(spec(units={**UNITS, "baseline_b": "D"}))
    whole = store()
    cheap = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    batch = batch_of(whole.with_fields(graph={"baseline_b": cheap}))
    plain = task_of(spec()).predict(batch)
    assert torch.allclose(task.predict(batch)["b"], plain["b"] + cheap)
    assert torch.equal(task.predict_baseline(batch)["b"], cheap - 1.0)
    with pytest.raises(ValueError, match="no field 'baseline_b'"):
        task.predict(batch_of(whole))


def test_classes_are_another_task() -> None:
    node = {"_target_": "geozoo.tasks.Properties", "augment": True, "monitor": None, "seed": 1}
    assert Properties.task_node(spec(), node) == node
    classes = spec(statistics={"targets": ["a"], "classes": ["yes", "no"]})
    assert Properties.task_node(classes, node) == {
        "_target_": "geozoo.tasks.Classification", "augment": True, "seed": 1,
        "monitor": "val/error",
    }  # fmt: skip
    with pytest.raises(ValueError, match="one scalar or one vector output per target"):
        Properties(PaiNN(2, 2), classes)


def test_other_targets_and_classes_are_other_data() -> None:
    own = spec()
    assert own.differences(own) == []
    other = spec(statistics={"targets": ["a", "c"]}, units={**UNITS, "c": "D"})
    assert any("the targets are" in line for line in own.differences(other))
    yes, no = (spec(statistics={"classes": names}) for names in (["x", "y"], ["y", "z"]))
    assert any("x, y" in line and "y, z" in line for line in yes.differences(no))


def test_the_composition_model_is_fitted_to_all_targets() -> None:
    task = Properties(Composition(2, 2), spec())
    data = store()

    class Data:
        splits = dict.fromkeys(("train", "val", "test"), torch.arange(3))
        augmentation_conflict = None

    Data.store = data
    assert task.prepare(Data()) == "fitted the model to the training split"
    batch = batch_of(data)
    assert torch.allclose(task.predict(batch)["a"], batch.a, atol=1e-4)
    Data.store = data.with_fields(graph={"has_a": torch.tensor([True, False, True])})
    with pytest.raises(ValueError, match="needs all values"):
        Properties(Composition(2, 2), spec()).prepare(Data())
