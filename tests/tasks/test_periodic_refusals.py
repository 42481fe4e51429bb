"""Periodic structures with models and options that do not support them: refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning import Trainer
from periodic_data import MixedData
from tiny_graphs import TinyModel

from geozoo.data import GraphStore
from geozoo.diffusion import KarrasDiffusion
from geozoo.models import EGNN, Composition, PaiNN, Ponita
from geozoo.tasks import Generation, Potential, Regression
from geozoo.tasks.captured import CapturedSteps


def small_ponita(**options: Any) -> Ponita:
    given = {"hidden_channels": 4, "num_layers": 1, "kernel": {"basis_channels": 4}, **options}
    return Ponita(2, 1, level="graph", **given)


COMPLETE = {"representation": "edges", "orientations": {"interaction": "complete"}, "radius": 3.0}


@pytest.mark.parametrize("kind", [Potential, Regression])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: EGNN(2, 1, hidden_channels=4, num_layers=1), "radius must be set for periodic"),
        (small_ponita, "radius must be set for periodic"),
        (lambda: TinyModel(2, 1), "model: TinyModel does not support periodic structures: its"),
        (lambda: small_ponita(**COMPLETE), 'interaction="complete" does not support periodic'),
    ],
)
def test_models_are_refused_before_training(kind: Any, model: Any, message: str) -> None:
    data = MixedData()
    options = {} if kind is Potential else {"target": "energy"}
    task = kind(model(), data.spec, **options)
    with pytest.raises(ValueError, match=message):
        task.prepare(data)
    with pytest.raises(ValueError, match=message):
        task.check_part(data, "test")
    task.check_part(MixedData(with_cells=False), "test")  # molecules


def test_a_periodic_structure_late_in_the_data_is_found() -> None:
    data = MixedData()
    data.store.graph["pbc"][:18] = False
    task = Potential(EGNN(2, 1, hidden_channels=4, num_layers=1), data.spec)
    with pytest.raises(ValueError, match="radius must be set for periodic"):
        task.prepare(data)


def test_a_model_without_positions_needs_no_cells() -> None:
    data = MixedData()
    task = Regression(Composition(2, 1), data.spec, target="energy")
    task.prepare(data)
    predicted = task.predict(data.store.gather(torch.arange(24)))["energy"]
    assert bool(predicted.isfinite().all())


def test_edges_of_periodic_structures_are_refused() -> None:
    data = MixedData()
    plain = data.store
    edges = torch.zeros(2, 24, dtype=torch.int64)
    given = GraphStore(
        plain.num_nodes, node=plain.node, graph=plain.graph, edge_index=edges,
        num_edges=torch.ones(24, dtype=torch.int64),
    )  # fmt: skip
    task = Potential(PaiNN(2, 1, hidden_channels=4, num_layers=1, num_basis=4), data.spec)
    with pytest.raises(ValueError, match="edge_index cannot be given for periodic structures"):
        task.predict(given.gather([0]))


def test_lattices_are_refused() -> None:
    model = small_ponita(lattice=[2, 2, 2], radius=1.5, kernel={"basis_channels": 4})
    if not model.form.on_lattice:
        pytest.skip("this backend does not evaluate lattices")
    pos = torch.cartesian_prod(*[torch.arange(2.0)] * 3)
    with pytest.raises(ValueError, match="lattice does not support periodic structures"):
        model.neighbors(
            pos, torch.zeros(8, dtype=torch.int64), num_graphs=1, cell=2 * torch.eye(3)[None],
            pbc=torch.ones(1, 3, dtype=torch.bool),
        )  # fmt: skip


def test_generation_is_of_molecules() -> None:
    data = MixedData()
    spec = type(data.spec)(
        level="node", dim=3, in_channels=3, out_channels=2, out_vectors=1,
        statistics={"sizes": [0, 1, 1, 1, 1], "elements": [1, 6]},
    )  # fmt: skip
    process = KarrasDiffusion(class_scale=1.0, number_scale=None)
    model = PaiNN(3, 2, out_vectors=1, level="node", hidden_channels=4, num_layers=1, num_basis=4)
    task = Generation(model, spec, process=process, test_samples=0)
    with pytest.raises(ValueError, match="generation is of isolated molecules"):
        task.prepare(data)


def test_captured_steps_need_fixed_shapes() -> None:
    data = MixedData()
    model = PaiNN(2, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=3.0)
    task = Potential(model, data.spec)
    store = GraphStore(
        torch.ones(2, dtype=torch.int64), node={"pos": torch.zeros(2, 3)},
        graph={"cell": torch.eye(3).expand(2, 3, 3), "pbc": torch.ones(2, 3, dtype=torch.bool)},
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(ValueError, match="captured steps"):
        CapturedSteps(task, optimizer, store, steps_per_graph=1)


@pytest.mark.thorough
@pytest.mark.parametrize("network", ["painn", "ponita"])
@pytest.mark.parametrize("kind", [Potential, Regression])
def test_compiled_training_is_the_same(kind: Any, network: str) -> None:
    data = MixedData()
    losses = []
    for is_compiled in (False, True):
        torch.manual_seed(0)
        model = small_ponita(radius=3.0)
        if network == "painn":
            model = PaiNN(2, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=3.0)
        task = kind(model, data.spec, **({} if kind is Potential else {"target": "energy"}))
        task = task.double().train()
        if is_compiled:
            task.compile_training(backend="eager")
        batch = data.store.gather(torch.arange(6))
        loss = task.loss(batch)["loss"]
        loss.backward()
        total = sum(float(p.grad.abs().sum()) for p in model.parameters() if p.grad is not None)
        losses.append((float(loss.detach()), total))
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


def test_a_model_without_cutoff_fails_before_the_first_step_of_a_trainer() -> None:
    data = MixedData()
    task = Potential(EGNN(2, 1, hidden_channels=4, num_layers=1), data.spec).double()
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match="radius must be set for periodic"):
        trainer.fit(task, datamodule=data)
    assert trainer.global_step == 0
