"""Outputs per atom: energies scaled by species and learned, and dipoles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning import Trainer
from tiny_graphs import TinyModel

from geozoo.data import (
    GeometricSpec,
    GraphBatch,
    GraphDataModule,
    GraphStore,
    LoadedData,
    LoaderOptions,
)
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
    found, expected = equal.predict(batch()), plain.predict(batch())
    assert found.keys() - expected.keys() == {"atom_energy"}
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


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


TARGETS = {"atom_energy_weight": 0.3, "dipole_weight": 0.2}
KNOWN = {"atom_energies": "meV", "dipole": "e*angstrom"}


def labelled(**changes: Any) -> GeometricSpec:
    statistics = {**spec().statistics, "atom_energy_H": -2.0, "atom_energy_O": -9.0}
    return spec(
        units={**spec().units, **KNOWN}, vector_fields=("pos", "forces", "dipole"),
        statistics={**statistics, "dipole_scale": 0.5, "energy_shift": 0.0}, **changes,
    )  # fmt: skip


def graphs(count: int = 8) -> GraphStore:
    """Structures of two to four atoms, some without energies of atoms or dipole."""
    generator = torch.Generator().manual_seed(2)
    sizes = torch.arange(count) % 3 + 2
    total = int(sizes.sum())
    x = torch.eye(3, dtype=torch.float64)[2 * torch.randint(2, (total,), generator=generator)]
    random = torch.randn(3, total, 3, generator=generator, dtype=torch.float64)
    has_energies, has_dipole = torch.arange(count) % 3 > 0, torch.arange(count) % 4 > 0
    rows = has_energies.repeat_interleave(sizes)
    dipole = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    graph = {
        "energy": -5.0 * sizes.double(), "has_atom_energies": has_energies,
        "dipole": dipole * has_dipole[:, None], "has_dipole": has_dipole,
        "weight": torch.rand(count, generator=generator) + 0.5,
    }  # fmt: skip
    node = {
        "pos": random[0], "forces": random[1], "x": x,
        "atom_energies": torch.where(rows, random[2, :, 0] - 6, 0.0),
    }  # fmt: skip
    return GraphStore(sizes, node=node, graph=graph)


def test_the_loss_includes_energies_of_atoms_and_dipoles_that_are_known() -> None:
    learner, store = task(data=labelled(), scale_by="species", **TARGETS), graphs()
    data = store.gather(torch.arange(len(store)))
    out = learner.model(data.pos, data.x, data.batch, num_graphs=8)
    scale = torch.tensor([2.0, 0.0, 10.0]).double()[data.x.argmax(1)]
    free = torch.tensor([-2.0, 0.0, -9.0]).double()[data.x.argmax(1)]
    of_atoms = (free + scale * out.scalar[:, 0]).detach()
    dipoles = []
    for graph in range(8):
        rows = data.batch == graph
        pos, charge = data.pos[rows], out.scalar[rows, 1:]
        dipoles.append((charge * (pos - pos.mean(0)) + out.vector[rows, 0]).sum(0).detach() / 2)
    found = learner.predict(data)
    torch.testing.assert_close(found["atom_energy"], of_atoms, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found["dipole"], torch.stack(dipoles), rtol=1e-12, atol=1e-12)
    energies = torch.stack([of_atoms[data.batch == graph].sum() for graph in range(8)])
    torch.testing.assert_close(found["energy"], energies, rtol=1e-12, atol=1e-12)
    weight = data.weight.double()
    rows, known = weight[data.batch], data.has_atom_energies[data.batch]
    apart = rows * ((of_atoms - data.atom_energies) / 5).square()
    terms = learner.loss(data)
    torch.testing.assert_close(
        terms["atom_energy_loss"].double(), apart[known].mean(), rtol=1e-6, atol=0
    )
    apart = weight * ((found["dipole"] - data.dipole) / 0.5).square().mean(1)
    torch.testing.assert_close(
        terms["dipole_loss"].double(), apart[data.has_dipole].mean(), rtol=1e-6, atol=0
    )
    energy, force, atoms, dipole = (
        terms[f"{name}_loss"] for name in ("energy", "force", "atom_energy", "dipole")
    )
    total = energy / 500 + force + 0.3 * atoms + 0.2 * dipole
    torch.testing.assert_close(terms["loss"], total, rtol=1e-6, atol=0)


def test_weighted_batches_have_the_loss_of_one_batch() -> None:
    learner, store = task(data=labelled(), **TARGETS), graphs()
    counts = learner.loss_counts(store)
    assert counts["dipole_loss"].tolist() == [0, 1, 1, 1, 0, 1, 1, 1]
    assert counts["atom_energy_loss"].tolist() == [0, 3, 4, 0, 3, 4, 0, 3]
    total = torch.zeros(())
    for part in (torch.arange(3), torch.arange(3, 8)):
        factors = {name: float(c[part].sum() / c.sum()) for name, c in counts.items()}
        total = total + learner.weighted_loss(store.gather(part), factors)["loss"]
    whole = learner.loss(store.gather(torch.arange(8)))["loss"]
    torch.testing.assert_close(total.double(), whole.double(), rtol=1e-6, atol=0)


class Labelled(GraphDataModule):
    """`graphs` as data."""

    def load(self) -> LoadedData:
        """Eight structures in each split."""
        train, val, test = torch.arange(24).split(8)
        splits = {"train": train, "val": val, "test": test}
        return LoadedData(graphs(24), splits, labelled())


def test_validation_and_test_measure_what_is_known() -> None:
    learner, data = task(data=labelled(), **TARGETS), Labelled(LoaderOptions(batch_size=3))
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, inference_mode=False,
        enable_checkpointing=False, enable_model_summary=False,
    )  # fmt: skip
    (values,) = trainer.validate(learner, datamodule=data, verbose=False)
    batch = data.store.gather(data.splits["val"])
    whole = float(learner.loss(batch)["loss"].detach())
    assert values["val/loss"] == pytest.approx(whole, rel=1e-6)
    (values,) = trainer.test(learner, datamodule=data, verbose=False)
    batch = data.store.gather(data.splits["test"])
    found = learner.predict(batch)
    known = batch.has_atom_energies[batch.batch]
    apart = (found["atom_energy"] - batch.atom_energies)[known].abs().mean()
    assert values["test/atom_energy_mae"] == pytest.approx(float(apart), rel=1e-6)
    apart = (found["dipole"] - batch.dipole)[batch.has_dipole].abs().mean()
    assert values["test/dipole_mae"] == pytest.approx(float(apart), rel=1e-6)
    apart = batch.dipole[batch.has_dipole].abs().mean()
    assert values["test/baseline_dipole_mae"] == pytest.approx(float(apart), rel=1e-6)
    assert learner.metric_units()["dipole_mae"] == "e*angstrom"
    assert learner.metric_units()["atom_energy_mae"] == "meV"


def test_dipoles_rotate_and_do_not_depend_on_the_origin() -> None:
    data = graphs().gather(torch.arange(8))
    for name in ("egnn", "painn", "ponita", "tensornet"):
        torch.manual_seed(0)
        sizes = Potential.model_arguments(labelled(), TARGETS)
        sizes = {key: value for key, value in sizes.items() if key != "lattice"}
        if name == "ponita":
            sizes["representation"] = "edges"  # equivariant up to rounding
        learner = Potential(NETWORKS[name](**sizes), labelled(), **TARGETS).double()
        found = learner.predict(data)
        rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
        rotation = rotation * rotation.det()
        turned = learner.predict(data.replace(pos=data.pos @ rotation.T + 7))
        assert found["dipole"].abs().max() > 1e-3
        torch.testing.assert_close(
            turned["dipole"], found["dipole"] @ rotation.T, rtol=1e-7, atol=1e-9
        )
        torch.testing.assert_close(turned["energy"], found["energy"], rtol=1e-9, atol=1e-9)


def test_charges_alone_make_a_dipole_of_any_network() -> None:
    options = {"dipole_weight": 1.0, "atomic_dipoles": False}
    sizes = Potential.model_arguments(labelled(), options)
    assert (sizes["out_channels"], sizes["out_vectors"], sizes["level"]) == (2, 0, "node")
    network = NETWORKS["schnet"](in_channels=3, out_channels=2, level="node")
    learner = Potential(network, labelled(), **options).double()
    assert learner.predict(graphs().gather(torch.arange(8)))["dipole"].abs().max() > 0
    with pytest.raises(ValueError, match="SchNet must have out_vectors=1, or set atomic_dipoles"):
        Potential(network, labelled(), dipole_weight=1.0)
    with pytest.raises(ValueError, match="must have out_channels=2, got 1"):
        Potential(TinyModel(3, 1, out_vectors=1, level="node"), labelled(), dipole_weight=1.0)


def test_periodic_graphs_have_no_dipole() -> None:
    learner, data = task(PaiNN, labelled(), **TARGETS), graphs(2).gather(torch.arange(2))
    cell = torch.stack([6 * torch.eye(3), torch.zeros(3, 3)]).double()
    pbc = torch.tensor([[True] * 3, [False] * 3])
    store = GraphStore(
        torch.tensor([2, 3]), node={name: getattr(data, name) for name in ("pos", "x")},
        graph={"cell": cell, "pbc": pbc},
    )  # fmt: skip
    dipole = learner.predict(store.gather(torch.arange(2)))["dipole"]
    assert dipole.isnan().all(1).tolist() == [True, False]


def test_targets_that_the_data_lack_are_refused_in_training() -> None:
    for name, key in (("atom_energy", "atom_energies_key"), ("dipole", "dipole_key")):
        learner = task(data=spec(), **{f"{name}_weight": 0.5})
        with pytest.raises(ValueError, match=f"{name}_weight is above 0, .*labels.{key}"):
            learner.loss(batch())
        assert name in learner.predict(batch())
        learner.eval()
        assert learner.loss(batch()).keys() == {"loss", "energy_loss", "force_loss"}
    learner, data = task(data=labelled(), dipole_weight=0.5), Labelled(LoaderOptions(batch_size=3))
    data.store.graph["has_dipole"][:8] = False
    with pytest.raises(ValueError, match="the training split has no dipole"):
        learner.prepare(data)


def test_energies_of_atoms_far_from_the_references_cause_a_warning(caplog: Any) -> None:
    learner, data = task(data=labelled(), **TARGETS), Labelled(LoaderOptions(batch_size=3))
    with caplog.at_level("WARNING"):
        learner.prepare(data)
        assert not caplog.text
        data.store.node["atom_energies"] -= 1000.0
        learner.prepare(data)
    assert "times the energy scale, which a network learns poorly" in caplog.text
