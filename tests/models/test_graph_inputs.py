"""Every network takes inputs of whole graphs, such as a total charge, as further columns of x."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from test_model_contract import TRAINED, build

from geozoo.data import GeometricSpec, GraphStore
from geozoo.runs.initial_weights import take_weights
from geozoo.tasks import Potential

ELEMENTS = (1, 6, 8)
SPEC = GeometricSpec(
    level="graph", dim=3, in_channels=5, out_channels=1, elements=ELEMENTS, target="energy",
    vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
    statistics={
        "energy_shift": 0.0, "energy_scale": 100.0, "charge_range": [-1.0, 1.0],
        "spin_range": [1.0, 3.0],
    },
    graph_inputs=("charge", "spin"),
)  # fmt: skip


def store(charge: float, spin: float) -> GraphStore:
    generator = torch.Generator().manual_seed(0)
    columns = torch.tensor([0, 2, 1, 0, 2, 1, 1, 0])
    return GraphStore(
        torch.tensor([5, 3]),
        node={
            "pos": torch.randn(8, 3, generator=generator, dtype=torch.float64),
            "x": torch.eye(3)[columns], "forces": torch.zeros(8, 3),
        },
        graph={
            "energy": torch.zeros(2, dtype=torch.float64), "spin": torch.tensor([spin, 1.0]),
            "charge": torch.tensor([charge, 0.0]),
        },
    )  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_energy_and_forces_depend_on_the_graph_inputs(name: str) -> None:
    model = build(name, in_channels=5, in_vectors=0, out_channels=1, out_vectors=0)
    task = Potential(model, SPEC).eval()
    found = [task.predict(store(*state).gather([0, 1])) for state in ((0, 1), (1, 1), (0, 3))]
    for other in found[1:]:
        change = (other["energy"] - found[0]["energy"]).abs()
        assert change[0] > 1e-3
        assert change[1] < 1e-9  # the other graph of the batch has the same state
        forces = (other["force"] - found[0]["force"]).abs()
        assert forces[:5].max() > 1e-6
        assert forces[5:].max() < 1e-9


@pytest.mark.parametrize("name", ["mace", "painn", "ponita", "schnet", "tensornet"])
def test_fine_tuning_adds_inputs_to_a_model_without_any(name: str) -> None:
    sizes = {"in_vectors": 0, "out_channels": 1, "out_vectors": 0}
    plain = replace(SPEC, in_channels=3, graph_inputs=())
    source = Potential(build(name, in_channels=3, **sizes), plain).eval()
    task = Potential(build(name, seed=1, in_channels=5, **sizes), SPEC).eval()
    said = take_weights(
        task, SimpleNamespace(spec=plain, name="plain", model=source.model, task=source)
    )
    assert "new" not in said
    batch = store(1, 3).gather([0, 1])
    one, other = task.predict(batch), source.predict(batch)
    for key in ("energy", "force"):
        torch.testing.assert_close(one[key], other[key])


def test_gradients_of_the_loss_reach_the_weights_of_the_inputs() -> None:
    model = build("schnet", in_channels=5, in_vectors=0, out_channels=1, out_vectors=0)
    task = Potential(model, SPEC).train()
    task.loss(store(1, 3).gather([0, 1]))["loss"].backward()
    first = next(p for p in model.parameters() if p.ndim == 2 and p.shape[1] == 5)
    assert bool((first.grad[:, 3:].abs().max(0).values > 0).all())


def test_spec_refuses_more_inputs_than_channels() -> None:
    for inputs in (("charge", "charge"), ("charge", "spin", "weight")):
        with pytest.raises(ValueError, match="graph_inputs must be at most 2 .in_channels."):
            GeometricSpec(level="graph", dim=3, in_channels=2, out_channels=1, graph_inputs=inputs)
    with pytest.raises(ValueError, match=r"elements must have one entry per column of x \(1\)"):
        GeometricSpec(
            level="graph", dim=3, in_channels=2, out_channels=1, elements=(1, 6),
            graph_inputs=("charge",),
        )  # fmt: skip
