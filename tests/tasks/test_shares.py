"""Weighted batches of one optimizer step have the gradient of one large batch."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer
from tiny_graphs import NUM_NODES, TinyData, TinyModel, tiny_data
from tiny_traffic import tiny_traffic
from torch import Tensor

from geozoo.data import GeometricSpec, GraphStore
from geozoo.data.sampler import EpochBatchSampler
from geozoo.diffusion import KarrasDiffusion
from geozoo.models import PerSensorLinear
from geozoo.tasks import (
    Dynamics,
    Forecasting,
    Generation,
    GraphTask,
    Potential,
    QuantileForecasting,
    Regression,
)
from geozoo.tasks._shares import BatchShares, checked_loader, nodes_of


def ragged(data: TinyData) -> TinyData:
    """The data with each graph reduced to one to four atoms, in float64."""
    store = data.store
    sizes = torch.arange(len(store)) % NUM_NODES + 1
    kept = torch.arange(NUM_NODES) < sizes[:, None]
    node = {name: value[kept.flatten()].double() for name, value in store.node.items()}
    data._data = replace(data.data, store=GraphStore(sizes, node=node, graph=store.graph))
    return data


def of_graphs(kind: type[GraphTask], name: str, **options: Any) -> tuple[GraphTask, Any]:
    data = ragged(tiny_data(name))
    return kind(TinyModel(**data.spec.model_arguments()), data.spec, **options), data


def of_windows(kind: type[GraphTask], **options: Any) -> tuple[GraphTask, Any]:
    data = tiny_traffic(missing=0.6)
    arguments = kind.model_arguments(data.spec, {})
    names = ("in_channels", "input_steps", "horizon")
    model = PerSensorLinear(**{name: arguments[name] for name in names})
    return kind(model, data.spec, **options), data


def by_node() -> tuple[GraphTask, Any]:
    data = ragged(tiny_data())
    data.store.node["charge"] = data.store.node["y"][:, 0]
    spec = GeometricSpec(level="node", dim=3, in_channels=1, out_channels=1, target="charge")
    return Regression(TinyModel(**spec.model_arguments()), spec), data


TASKS = {
    "dynamics": lambda: of_graphs(Dynamics, "dynamics"),
    "potential": lambda: of_graphs(Potential, "potential", energy_weight=1.0),
    "regression": lambda: of_graphs(Regression, "potential", target="energy"),
    "regression by node": by_node,
    "forecasting": lambda: of_windows(Forecasting),
    "forecasting, not zero": lambda: of_windows(Forecasting, loss_mask="nonzero", loss="mse"),
    "quantiles": lambda: of_windows(QuantileForecasting),
}


def made(name: str) -> tuple[GraphTask, Any]:
    """A task in float64 and its data."""
    torch.manual_seed(0)
    task, data = TASKS[name]()
    return task.double().train(), data


def loader_of(data: Any, batch_size: int, ranks: int = 1, rank: int = 0) -> Any:
    sampler = EpochBatchSampler(
        data.splits["train"][:19], batch_size, shuffle=True, num_replicas=ranks, rank=rank
    )
    return SimpleNamespace(store=data.store, sampler=sampler)


def gradients(task: GraphTask, loss: Tensor) -> list[Tensor]:
    parameters = list(task.model.parameters())
    return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize(("ranks", "accumulated"), [(3, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("name", TASKS)
def test_weighted_batches_have_the_gradient_of_one_large_batch(
    name: str, ranks: int, accumulated: int
) -> None:
    task, data = made(name)
    size = 2
    loaders = [loader_of(data, size, ranks, rank) for rank in range(ranks)]
    shares = [BatchShares(loader, task.loss_counts(data.store)) for loader in loaders]
    plans = [list(loader.sampler) for loader in loaders]
    count, batches = len(plans[0]), loaders[0].sampler.global_batches()
    for number in range(-(-count // accumulated)):
        step = batches[number * accumulated : (number + 1) * accumulated]
        wanted = task.loss(data.store.gather(np.concatenate(step)))
        totals = [torch.zeros_like(p) for p in task.model.parameters()]
        logged, sizes = 0.0, 0
        for place in range(number * accumulated, min((number + 1) * accumulated, count)):
            for share, plan in zip(shares, plans, strict=True):
                own = share.of(place, len(plan[place]), num_batches=count, accumulated=accumulated)
                parts = task.weighted_loss(data.store.gather(plan[place]), own.weights)
                # Lightning's means over processes and accumulated batches, and the logged mean.
                for total, value in zip(totals, gradients(task, parts["loss"]), strict=True):
                    total += value / (ranks * accumulated)
                logged += float(parts["loss"].detach()) * own.logged * own.num_graphs
                sizes += own.num_graphs
        assert logged / sizes == pytest.approx(float(wanted["loss"].detach()), rel=1e-6)
        for total, value in zip(totals, gradients(task, wanted["loss"]), strict=True):
            torch.testing.assert_close(total, value, rtol=1e-5, atol=1e-7)


def test_counts_are_those_of_the_loss() -> None:
    task, data = made("forecasting")
    counts = task.loss_counts(data.store)["loss"]
    batch = data.store.gather(torch.arange(len(data.store)))
    assert torch.equal(counts, batch.y_observed.sum((1, 2)))
    assert counts.min() < counts.max()


def test_molecules_are_counted_by_their_weight_in_the_diffusion_loss() -> None:
    data = ragged(tiny_data())
    process = KarrasDiffusion(class_scale=1.0, number_scale=None)
    spec = GeometricSpec(
        level="node", dim=3, in_channels=2, out_channels=1, out_vectors=1,
        statistics={"sizes": [0, 1, 1], "elements": [1]},
    )  # fmt: skip
    task = Generation(TinyModel(**spec.model_arguments()), spec, process=process, test_samples=0)
    assert torch.equal(task.loss_counts(data.store)["loss"], data.store.num_nodes.double())


def test_a_batch_without_readings_has_weight_zero() -> None:
    loader = SimpleNamespace(
        store=range(4), sampler=EpochBatchSampler(torch.arange(4), 2, shuffle=False)
    )
    shares = BatchShares(loader, {"loss": torch.tensor([0, 0, 1, 2])})
    assert shares.of(0, 2, num_batches=2, accumulated=1).weights == {"loss": 0.0}
    assert shares.of(0, 2, num_batches=2, accumulated=2).weights == {"loss": 0.0}
    assert shares.of(1, 2, num_batches=2, accumulated=2).weights == {"loss": 2.0}


def test_a_compiled_step_applies_the_weights() -> None:
    task, data = made("potential")
    batch = data.store.gather(torch.arange(5))
    weights = {"energy_loss": 0.5, "force_loss": 2.0}
    wanted = task.weighted_loss(batch, weights)["loss"]
    expected = gradients(task, wanted)
    task.compile_training(backend="eager")
    for factor in (1.0, 2.0):  # a new weight does not trigger a recompilation
        parts = task.weighted_loss(batch, {k: v * factor for k, v in weights.items()})
        for value, its in zip(gradients(task, parts["loss"]), expected, strict=True):
            torch.testing.assert_close(value, its * factor, rtol=1e-6, atol=1e-9)
    assert len(task._compiled_step._steps) == 1


def test_a_single_process_without_accumulation_has_no_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, data = made("forecasting")
    monkeypatch.setattr(task, "weighted_loss", None)
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(task.float(), datamodule=data)


def test_batches_of_unknown_order_or_size_raise() -> None:
    with pytest.raises(ValueError, match=r"order is not known in advance, got a DataLoader"):
        checked_loader(torch.utils.data.DataLoader([1, 2]))
    with pytest.raises(ValueError, match="a list, which has no num_nodes"):
        nodes_of([])  # type: ignore[arg-type]
    _, data = made("dynamics")
    loader = loader_of(data, 2)
    with pytest.raises(ValueError, match=r"loss_counts: 'loss' must have shape \(40,\)"):
        BatchShares(loader, {"loss": torch.ones(3)})
    shares = BatchShares(loader, {"loss": torch.ones(40)})
    with pytest.raises(
        ValueError, match="batch 1 must have 2 graphs, as given by its sampler, got 5"
    ):
        shares.of(1, 5, num_batches=9, accumulated=1)
