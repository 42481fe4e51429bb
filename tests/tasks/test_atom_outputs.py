"""Energies of atoms: scaled by species, and summed over structures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_graphs import TinyModel

from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.models import EGNN, Composition, PaiNN, Ponita, SchNet, TensorNet
from geozoo.options import in_groups
from geozoo.tasks import Potential

SCALES = {"force_scale_1": 2.0, "force_scale_8": 10.0}


def spec(**changes: Any) -> GeometricSpec:
    """Hydrogen, a column without element, oxygen."""
    made = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, target="energy", elements=(1, 0, 8),
        vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": -70.0, "energy_scale": 5.0, **SCALES},
    )  # fmt: skip
    return replace(made, **changes)


def batch() -> GraphBatch:
    generator = torch.Generator().manual_seed(1)
    x = torch.eye(3, dtype=torch.float64)[torch.tensor([2, 0, 0, 2, 2, 0, 2])]
    random = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    store = GraphStore(
        torch.tensor([3, 4]), node={"pos": random[0], "forces": random[1], "x": x},
        graph={"energy": torch.tensor([-60.0, -80.0], dtype=torch.float64)},
    )  # fmt: skip
    return store.gather(torch.arange(2))


def task(network: Any = TinyModel, data: GeometricSpec | None = None, **options: Any) -> Potential:
    torch.manual_seed(0)
    data = data or spec()
    sizes = Potential.model_arguments(data, options)
    wanted = {k: v for k, v in sizes.items() if k in network.__init__.__code__.co_varnames}
    return Potential(network(**wanted), data, **options).double()


def test_energies_of_atoms_are_scaled_before_they_are_summed() -> None:
    scaled, data = task(scale_by="species"), batch()
    assert scaled.model.level == "node"
    pos = data.pos.clone().requires_grad_()
    of_atoms = scaled.model(pos, data.x, data.batch, num_graphs=2).scalar[:, 0]
    scale = torch.tensor([2.0, float("nan"), 10.0]).double()[data.x.argmax(1)]
    energy = torch.stack([part.sum() for part in (scale * of_atoms).split([3, 4])]) - 70
    (gradient,) = torch.autograd.grad(energy.sum(), pos)
    found = scaled.predict(data)
    torch.testing.assert_close(found["energy"], energy.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found["force"], -gradient, rtol=1e-12, atol=1e-12)
    loss = ((found["energy"] - data.energy) / 5).square().mean() / 500
    loss = loss + ((found["force"] - data.forces) / 5).square().mean()
    torch.testing.assert_close(scaled.loss(data)["loss"], loss, rtol=1e-12, atol=1e-12)


SMALL = {"hidden_channels": 8, "num_layers": 1}
NETWORKS = {
    "egnn": lambda **given: EGNN(**given, **SMALL),
    "painn": lambda **given: PaiNN(**given, **SMALL),
    "ponita": lambda **given: Ponita(**in_groups(Ponita, given | SMALL | {"num_orientations": 6})),
    "schnet": lambda **given: SchNet(**given, **SMALL),
    "tensornet": lambda **given: TensorNet(**given, **SMALL),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_without_scales_energies_of_atoms_sum_to_the_energy(name: str) -> None:
    found = []
    for level in ("node", "graph"):
        torch.manual_seed(0)
        sizes = {"in_channels": 3, "out_channels": 1, "level": level}
        found.append(Potential(NETWORKS[name](**sizes), spec()).double().predict(batch()))
    for key in ("energy", "force"):
        torch.testing.assert_close(found[0][key], found[1][key], rtol=1e-10, atol=1e-10)


def test_one_scale_for_all_is_the_default() -> None:
    plain, equal = task(), task(
        data=spec(statistics={**spec().statistics, "force_scale_1": 5.0, "force_scale_8": 5.0}),
        scale_by="species",
    )  # fmt: skip
    assert plain.model.level == "graph" and "species_scale" not in plain.state_dict()
    torch.testing.assert_close(plain.predict(batch()), equal.predict(batch()), rtol=1e-12, atol=0)


def test_the_scale_is_that_of_training_after_loading() -> None:
    trained = task(scale_by="species")
    other = task(
        data=spec(statistics={"energy_shift": 0.0, "energy_scale": 1.0}), scale_by="species"
    )
    other.load_state_dict(trained.state_dict())
    torch.testing.assert_close(other.predict(batch()), trained.predict(batch()), rtol=0, atol=0)


def test_an_element_without_forces_is_refused_in_training() -> None:
    data = spec(statistics={k: v for k, v in spec().statistics.items() if k != "force_scale_8"})
    lacking = task(data=data, scale_by="species")
    with pytest.raises(ValueError, match="scale_by=species .* atomic numbers 8 have no forces"):
        lacking.loss(batch())
    lacking.eval().loss(batch())  # data without forces may be tested


def test_networks_without_energies_of_atoms_are_refused() -> None:
    for model in (TinyModel(3, 1), torch.nn.Linear(3, 1), Composition(3, 1)):
        with pytest.raises(ValueError, match="scale_by=species needs the energy of every atom"):
            Potential(model, spec(), scale_by="species")
    with pytest.raises(ValueError, match="scale_by must be one of .*got 'element'"):
        Potential(TinyModel(3, 1), spec(), scale_by="element")
    with pytest.raises(ValueError, match="element of every column"):
        task(data=spec(elements=()), scale_by="species")
