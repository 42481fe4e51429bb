"""The loss of a potential against its formula, with missing targets, weights and stresses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from periodic_data import MixedData
from torch.nn import functional

from geozoo.data import rotate_batch
from geozoo.data.sampler import EpochBatchSampler
from geozoo.geometry import random_rotations
from geozoo.models import PaiNN
from geozoo.tasks import Potential
from geozoo.tasks._shares import BatchShares

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "per atom": {"energy_per_atom": True, "energy_weight": 2.0},
    "huber": {"huber_delta": 0.3, "stress_weight": 4.0},
    "all": {"energy_per_atom": True, "huber_delta": 0.5, "force_weight": 0.2, "energy_weight": 1.0},
}


def made(data: MixedData, *, is_double: bool = True, **options: Any) -> Potential:
    torch.manual_seed(0)
    model = PaiNN(2, 1, hidden_channels=8, num_layers=1, num_basis=4, radius=3.0)
    task = Potential(model, data.spec, **options).train()
    return task.double() if is_double else task


def formula(task: Potential, batch: Any) -> dict[str, float]:
    """The loss in a loop over structures, from predictions in physical units."""
    predicted = task.predict(batch)
    scale, delta = float(task.energy_scale), task.loss_of.huber_delta

    def penalty(error: torch.Tensor) -> torch.Tensor:
        if delta is None:
            return error**2
        size = error.abs()
        return torch.where(size <= delta, error**2, 2 * delta * (size - delta / 2))

    energy = force = stress = 0.0
    forces = stresses = 0
    for graph in range(batch.num_graphs):
        nodes = slice(int(batch.ptr[graph]), int(batch.ptr[graph + 1]))
        atoms = nodes.stop - nodes.start
        weight = float(batch.weight[graph]) if "weight" in batch else 1.0
        error = (predicted["energy"][graph] - batch.energy[graph]) / scale
        energy += weight * penalty(error / atoms if task.loss_of.energy_per_atom else error)
        if "has_forces" not in batch or batch.has_forces[graph]:
            force += weight * penalty((predicted["force"] - batch.forces)[nodes] / scale).sum()
            forces += 3 * atoms
        if "stress" in batch and batch.has_stress[graph]:
            volume = batch.cell[graph].det().abs()
            error = (predicted["stress"] - batch.stress)[graph] * volume / atoms / scale
            stress += weight * penalty(error).mean()
            stresses += 1
    terms = {"energy_loss": energy / batch.num_graphs, "force_loss": force / max(forces, 1)}
    if "stress" in batch:
        terms["stress_loss"] = stress / max(stresses, 1)
    weights = (task.loss_of.energy_weight, task.loss_of.force_weight, task.loss_of.stress_weight)
    total = sum(w * t for w, t in zip(weights, terms.values(), strict=False))
    return {name: float(value) for name, value in {"loss": total, **terms}.items()}


@pytest.mark.parametrize("with_masks", [True, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_loss_is_that_of_the_formula(name: str, with_masks: bool) -> None:
    data = MixedData(with_masks=with_masks)
    task = made(data, **OPTIONS[name])
    batch = data.store.gather(torch.arange(24))
    found = {key: float(value.detach()) for key, value in task.loss(batch).items()}
    assert found == pytest.approx(formula(task, batch), rel=1e-9)
    assert min(found.values()) > 1e-6


def test_errors_below_the_threshold_are_squared() -> None:
    data = MixedData()
    batch = data.store.gather(torch.arange(24))
    plain, wide = (made(data, huber_delta=delta).loss(batch) for delta in (None, 1e9))
    for name, value in plain.items():
        torch.testing.assert_close(wide[name], value, rtol=1e-12, atol=0)


def test_a_batch_without_forces_or_stress_has_zero_loss_and_finite_gradients() -> None:
    data = MixedData()
    graph = data.store.graph
    bare = (~graph["has_forces"] & ~graph["has_stress"]).nonzero()[:, 0]
    assert len(bare) > 1
    task = made(data)
    found = task.loss(data.store.gather(bare))
    assert float(found["force_loss"].detach()) == float(found["stress_loss"].detach()) == 0.0
    found["loss"].backward()
    gradients = [p.grad for p in task.model.parameters() if p.grad is not None]
    assert gradients and all(bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(bool(gradient.any()) for gradient in gradients)


def test_default_settings_give_the_same_bits_as_the_mean_squared_error() -> None:
    data = MixedData(with_masks=False, with_cells=False)
    task, batch = made(data, is_double=False), data.store.gather(torch.arange(24))
    found = task.loss(batch)
    derivatives = task.scaled_derivatives(batch, create_graph=False)
    energy = ((batch.energy - task.energy_shift) / task.energy_scale).float()
    terms = [
        functional.mse_loss(derivatives.energy, energy),
        functional.mse_loss(derivatives.force, (batch.forces / task.energy_scale).float()),
    ]
    assert torch.equal(found["energy_loss"], terms[0])
    assert torch.equal(found["force_loss"], terms[1])
    assert torch.equal(found["loss"], (1 / 500) * terms[0] + 1.0 * terms[1])


@pytest.mark.parametrize(("ranks", "accumulated"), [(3, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("name", ["default", "all"])
def test_weighted_batches_have_the_loss_and_gradient_of_one_large_batch(
    name: str, ranks: int, accumulated: int
) -> None:
    data = MixedData()
    task = made(data, **OPTIONS[name])
    samplers = [
        EpochBatchSampler(torch.arange(24)[:23], 2, shuffle=True, num_replicas=ranks, rank=rank)
        for rank in range(ranks)
    ]
    loaders: Any = [SimpleNamespace(store=data.store, sampler=sampler) for sampler in samplers]
    shares = [BatchShares(loader, task.loss_counts(data.store)) for loader in loaders]
    plans = [list(sampler) for sampler in samplers]
    count, parameters = len(plans[0]), list(task.model.parameters())

    def gradients(loss: torch.Tensor) -> list[torch.Tensor]:
        options = {"materialize_grads": True, "allow_unused": True}
        return list(torch.autograd.grad(loss, parameters, **options))

    for first in range(0, count, accumulated):
        places = range(first, min(first + accumulated, count))
        graphs = torch.cat([torch.as_tensor(plan[place]) for place in places for plan in plans])
        wanted = task.loss(data.store.gather(graphs))
        total = [torch.zeros_like(parameter) for parameter in parameters]
        logged = size = 0.0
        for place in places:
            for share, plan in zip(shares, plans, strict=True):
                own = share.of(place, len(plan[place]), num_batches=count, accumulated=accumulated)
                parts = task.weighted_loss(data.store.gather(plan[place]), own.weights)
                found = gradients(parts["loss"] / (ranks * accumulated))
                total = [a + b for a, b in zip(total, found, strict=True)]
                logged += float(parts["loss"].detach()) * own.logged * own.num_graphs
                size += own.num_graphs
        assert logged / size == pytest.approx(float(wanted["loss"].detach()), rel=1e-9)
        for value, expected in zip(total, gradients(wanted["loss"]), strict=True):
            torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-10)


def trainer(**options: Any) -> Trainer:
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, inference_mode=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize("batch_size", [2, 7])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_validation_loss_is_the_training_loss_of_the_split(name: str, batch_size: int) -> None:
    data = MixedData(batch_size=batch_size)
    task = made(data, **OPTIONS[name])
    (values,) = trainer(precision="64-true").validate(task, datamodule=data, verbose=False)
    whole = task.loss(data.store.gather(data.splits["val"]))["loss"]
    assert values["val/loss"] == pytest.approx(float(whole.detach()), rel=1e-6)


def test_metrics_count_frames_that_have_the_target() -> None:
    data = MixedData(batch_size=3)
    task, test = made(data), data.splits["test"]
    (values,) = trainer(precision="64-true").test(task, datamodule=data, verbose=False)
    batch = data.store.gather(test)
    predicted = task.predict(batch)
    error = (predicted["force"] - batch.forces).abs()[batch.has_forces[batch.batch]]
    assert values["test/force_mae"] == pytest.approx(float(error.mean()), rel=1e-5)
    error = (predicted["stress"] - batch.stress).abs()[batch.has_stress]
    assert values["test/stress_mae"] == pytest.approx(float(error.mean()), rel=1e-5)
    per_atom = (predicted["energy"] - batch.energy).abs() / batch.ptr.diff()
    assert values["test/energy_per_atom_mae"] == pytest.approx(float(per_atom.mean()), rel=1e-5)
    data.store.graph["has_forces"][test] = False
    (values,) = trainer().test(task, datamodule=data, verbose=False)
    assert "test/force_mae" not in values and "test/baseline_force_mae" not in values
    assert "test/energy_mae" in values


def test_rotations_leave_an_equivariant_potential_unchanged() -> None:
    data = MixedData()
    batch = data.store.gather(torch.arange(24))
    task = made(data)
    expected = task.predict(batch)
    rotations = random_rotations(24, 3, generator=torch.Generator().manual_seed(0)).double()
    turned = task.predict(task._turned(batch, rotations))
    torch.testing.assert_close(turned["energy"], expected["energy"], rtol=1e-9, atol=1e-9)
    wanted = rotations @ expected["stress"] @ rotations.mT
    torch.testing.assert_close(turned["stress"], wanted, equal_nan=True, rtol=1e-8, atol=1e-8)
    again = made(data, test_rotations=3).predict_tested(batch)
    for name, value in expected.items():
        torch.testing.assert_close(again[name], value, equal_nan=True, rtol=1e-5, atol=1e-5)
    # The loss of a rotated batch is that of the batch, so its stresses rotate, too.
    one, other = task.loss(batch)["loss"], task.loss(task._turned(batch, rotations))["loss"]
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)  # rotations are float32


def test_a_potential_of_molecules_rotates_the_cells_of_crystals() -> None:
    molecules, crystals = MixedData(with_cells=False), MixedData()
    task = made(molecules)
    batch = crystals.store.gather(torch.arange(24))
    rotations = random_rotations(24, 3, generator=torch.Generator().manual_seed(0)).double()
    expected = rotate_batch(batch, rotations, ["pos", "forces", "cell"], ["stress"])
    turned = task._turned(batch, rotations)
    assert all(torch.equal(turned.get(name), expected.get(name)) for name in turned)
    torch.testing.assert_close(
        task.predict(turned)["energy"], task.predict(batch)["energy"], rtol=1e-9, atol=1e-9
    )
    again = made(molecules, test_rotations=2).predict_tested(batch)
    torch.testing.assert_close(again["energy"], task.predict(batch)["energy"], rtol=1e-6, atol=1e-6)
