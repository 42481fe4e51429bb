"""Training of several sizes per step: who learns from what, and on which weights."""

from __future__ import annotations

import pytest
import torch
from tiny_graphs import TinyData, TinyModel
from torch.nn import functional

from geozoo.data import LoaderOptions
from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import (
    Classification,
    Dynamics,
    ElasticSizes,
    ElasticTraining,
    Generation,
    Potential,
    Size,
)

SMALL = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 3, "num_orientations": 8}


def task_and_batch(kind, **options):
    torch.manual_seed(0)
    data = TinyData(loader=LoaderOptions(batch_size=8), kind=kind)
    sizes = {**data.spec.model_arguments(), **SMALL, **options}
    model = Ponita(**in_groups(Ponita, sizes))
    task = {"dynamics": Dynamics, "potential": Potential}[kind](model, data.spec, augment=False)
    task.elastic = ElasticTraining(ElasticSizes.of(model), start=0, teacher="largest")
    return task.train(), data.store.gather(data.splits["train"][:8])


def step(task, batch, batch_idx=0):
    return task.elastic.losses(task, batch, batch_idx, task.loss)


def test_default_sizes_are_those_below_the_model():
    sizes = ElasticSizes.of(Ponita(1, 1, hidden_channels=8, orientations={"num_orientations": 12}))
    assert sizes.orientations == (6, 8, 12) and sizes.num_layers == (3, 4, 5)
    assert sizes.width == (0.5, 0.75, 1.0) and len(list(sizes)) == 27
    assert sizes.smallest == Size(6, 3, 0.5) and sizes.largest == Size(12, 5, 1.0)
    assert sizes.ladder() == [sizes.smallest, Size(8, 4, 0.75), sizes.largest]
    assert ElasticSizes.from_dict(sizes.to_dict()) == sizes
    assert str(sizes.smallest) == "6 orientations, 3 layers, width 0.5"
    plain = Ponita(1, 1, hidden_channels=8, representation="position")
    assert ElasticSizes.of(plain).orientations == ()
    assert str(ElasticSizes.of(plain).smallest) == "3 layers, width 0.5"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orientations": [6, 32]}, "orientations must be at most 20"),
        ({"orientations": [7]}, "even number"),
        ({"num_layers": [6]}, "num_layers must be at most 5"),
        ({"width": [0.3]}, "whole number"),
    ],
)
def test_impossible_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        ElasticSizes.of(Ponita(1, 1, hidden_channels=8), **options)


def test_models_and_sizes_that_cannot_be_trained():
    with pytest.raises(ValueError, match=r"Resizable.*got TinyModel"):
        ElasticSizes.of(TinyModel(1, 1))
    model = Ponita(1, 1, hidden_channels=8)
    one = ElasticSizes.of(model, orientations=[], num_layers=[], width=[])
    with pytest.raises(ValueError, match="sizes must be at least two"):
        ElasticTraining(one)
    sizes = ElasticSizes.of(model)
    with pytest.raises(ValueError, match=r"width must be one of .* 0.5, 0.75, 1; got 0.6"):
        sizes.chosen(orientations=6, num_layers=3, width=0.6)
    for broken in ({}, {**sizes.to_dict(), "width": []}, {**sizes.to_dict(), "num_layers": [0]}):
        with pytest.raises(ValueError, match="elastic must have"):
            ElasticSizes.from_dict(broken)
    assert not Classification.is_taught and not Generation.is_taught


def test_smaller_networks_learn_from_the_largest_which_learns_from_the_data():
    task, batch = task_and_batch("dynamics")
    task.elastic = ElasticTraining(
        ElasticSizes.of(task.model), samples=1, seed=3, teacher="largest"
    )
    seen, real = [], task.loss

    def loss(given):
        found = real(given)
        seen.append((task.stand_in, task.stand_in.network.size_arguments, given.y.clone(), found))
        return found

    total, parts = task.elastic.losses(task, batch, 0, loss)
    assert task.stand_in is None and len(seen) == 3
    arguments = [size for _, size, _, _ in seen]
    assert arguments[0] == task.model.size_arguments
    assert arguments[1]["hidden_channels"] == 4 and arguments[1]["num_layers"] == 2
    assert torch.equal(seen[0][2], batch.y)
    largest = seen[0][0]
    predicted = batch.pos + largest.network(**task.inputs(batch)).vector[:, 0]
    torch.testing.assert_close(seen[1][2], predicted.detach())
    assert not seen[1][2].requires_grad and torch.equal(seen[1][2], seen[2][2])
    others = torch.stack([found["loss"] for *_, found in seen[1:]])
    torch.testing.assert_close(total, (parts["loss"] + others.sum()) / 3)
    torch.testing.assert_close(parts["smaller_loss"], others.mean().detach())


def test_smaller_networks_learn_from_the_data_by_default():
    task, batch = task_and_batch("dynamics")
    task.elastic = ElasticTraining(ElasticSizes.of(task.model), samples=1)
    seen, real = [], task.loss

    def loss(given):
        seen.append(given)
        return real(given)

    task.elastic.losses(task, batch, 0, loss)
    assert len(seen) == 3 and all(given is batch for given in seen)
    with pytest.raises(ValueError, match="teacher must be one of data, largest; got 'best'"):
        ElasticTraining(ElasticSizes.of(task.model), teacher="best")


def test_the_gradient_is_the_sum_of_those_of_ordinary_networks():
    task, batch = task_and_batch("dynamics")
    task.elastic = ElasticTraining(ElasticSizes.of(task.model), samples=0, teacher="largest")
    total, _ = step(task, batch)
    total.backward()
    whole, small = (task.elastic._networks[s].network for s in
                    (task.elastic.sizes.largest, task.elastic.sizes.smallest))  # fmt: skip
    inputs, grad = task.inputs(batch), {}
    copies = [task.model.resized(orientations=each.orientations.clone(), num_layers=layers,
                                 width=width)
              for each, layers, width in ((whole, 3, 1.0), (small, 2, 0.5))]  # fmt: skip
    target = (batch.pos + copies[0](**inputs).vector[:, 0]).detach()
    for copy, y in zip(copies, (batch.y, target), strict=True):
        functional.mse_loss(batch.pos + copy(**inputs).vector[:, 0], y).backward()
        for name, weight in copy.named_parameters():
            full = grad.setdefault(
                name, torch.zeros_like(dict(task.model.named_parameters())[name])
            )
            if weight.grad is not None:
                full[tuple(map(slice, weight.shape))] += weight.grad / 2
    for name, weight in task.model.named_parameters():
        torch.testing.assert_close(weight.grad, grad[name], msg=name, rtol=1e-4, atol=1e-6)


def test_grids_turn_at_random_and_steps_can_be_repeated():
    task, batch = task_and_batch("dynamics")
    before = task.model.orientations.clone()
    first, again, other = step(task, batch), step(task, batch), step(task, batch, 1)
    assert torch.equal(first[0], again[0]) and first[0] != other[0]
    assert torch.equal(task.model.orientations, before)
    grid = task.elastic._networks[task.elastic.sizes.largest].network.orientations
    assert (grid - before).abs().max() > 0.1
    torch.testing.assert_close(grid @ grid.T, before @ before.T)  # the same grid, turned


def test_only_the_largest_is_trained_at_first():
    task, batch = task_and_batch("dynamics")
    task.elastic = ElasticTraining(ElasticSizes.of(task.model), start=1)
    total, parts = step(task, batch)
    assert parts.keys() == {"loss"} and total is parts["loss"]


def test_forces_are_taught_and_their_loss_falls():
    task, batch = task_and_batch("potential", level="graph")
    optimizer = torch.optim.Adam(task.model.parameters(), lr=5e-3)
    smallest = task.elastic.sizes.smallest

    def on_data(size):  # energies and forces of a part, against the labels
        whole, task.model = task.model, task.model.resized(**size.arguments)
        loss, task.model = task.loss(batch)["loss"].item(), whole
        return loss

    before = {size: on_data(size) for size in (smallest, task.elastic.sizes.largest)}
    for number in range(60):
        total, _ = step(task, batch, number)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    after = {size: on_data(size) for size in before}
    assert all(after[size] < 0.6 * before[size] for size in before), (before, after)
    whole = task.elastic._networks[task.elastic.sizes.largest]
    step(task, batch)  # what the others learnt from: energies and forces of that grid
    task.stand_in = whole
    task.loss(batch)
    taught = task.taught(batch, whole.output)
    task.stand_in = None
    turned = task.model.resized(orientations=whole.network.orientations.clone())
    task.model = turned
    predicted = task.predict(batch)
    torch.testing.assert_close(taught.forces, predicted["force"].to(taught.forces.dtype))
    torch.testing.assert_close(taught.energy, predicted["energy"].to(taught.energy.dtype))


def test_tasks_without_predicted_targets_say_so():
    task, batch = task_and_batch("dynamics")
    task.is_taught = False
    with pytest.raises(ValueError, match="elastic training needs another task"):
        step(task, batch)
