"""The calculator on periodic structures: stress, kept neighbours, ensembles."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from trained_samples import trained

pytest.importorskip("ase")
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from geozoo.data import GeometricSpec
from geozoo.engines._skin import SkinNeighbors
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import Ensemble, TrainedModel
from geozoo.models import PaiNN
from geozoo.tasks import Potential


def potential(
    radius: float = 3.5, seed: int = 0, level: Literal["node", "graph"] = "graph"
) -> TrainedModel:
    torch.manual_seed(seed)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=2, out_channels=1, elements=(14, 1), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 200.0},
    )  # fmt: skip
    model = PaiNN(2, 1, hidden_channels=8, num_layers=2, num_basis=6, radius=radius, level=level)
    return trained(Potential(model, spec))


def silicon(*, repeat: Any = 1, seed: int = 0, pbc: Any = True) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", a=4.8).repeat(repeat)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * rng.normal(size=(len(atoms), 3))
    atoms.pbc = pbc
    return atoms


def calculator(model: Any = None, **options: Any) -> GeozooCalculator:
    return GeozooCalculator(potential() if model is None else model, dtype="float64", **options)


def energy(atoms: Atoms, calc: GeozooCalculator) -> float:
    atoms.calc = calc
    return atoms.get_potential_energy()


def test_forces_and_stress_are_derivatives_of_the_energy() -> None:
    calc, atoms, step = calculator(), silicon(), 1e-4
    atoms.calc = calc
    forces, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
    assert abs(forces).max() > 1e-4 and abs(stress).max() > 1e-5
    for atom, axis in ((0, 0), (1, 2)):
        found = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            found.append(energy(moved, calc))
        assert -(found[0] - found[1]) / (2 * step) == pytest.approx(forces[atom, axis], abs=1e-6)
    for row, column in ((0, 0), (1, 2), (0, 1)):
        found = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            bent = atoms.copy()
            bent.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
            found.append(energy(bent, calc))
        slope = (found[0] - found[1]) / (2 * step) / atoms.get_volume()
        assert slope == pytest.approx(stress[row, column], abs=1e-7)


def test_all_that_ase_asks_for_from_a_crystal_and_a_committee() -> None:
    members = [potential(seed=seed, level="node") for seed in (0, 1)]
    atoms = silicon(repeat=(2, 1, 1))
    atoms.calc = calculator(Ensemble(members))
    energies, energy = atoms.get_potential_energies(), atoms.get_potential_energy()
    assert energies.shape == (4,) and energies.sum() == pytest.approx(energy, rel=1e-12)
    assert atoms.get_potential_energy(force_consistent=True) == energy
    assert {"energy", "free_energy", "forces", "stress", "energies"} <= set(atoms.calc.results)
    assert {"energy_std", "forces_std", "stress_std", "energies_std"} <= set(atoms.calc.results)
    atoms.calc = calculator(potential())
    with pytest.raises(PropertyNotImplementedError, match="energies"):
        atoms.get_potential_energies()


def test_a_cell_relaxes() -> None:
    atoms = silicon()
    atoms.calc = calculator()
    before = atoms.get_potential_energy()
    BFGS(FrechetCellFilter(atoms), logfile=None, maxstep=0.05).run(fmax=1e-6, steps=8)
    assert atoms.get_potential_energy() < before


def test_kept_neighbours_give_the_forces_of_a_fresh_search() -> None:
    model, rng, atoms = potential(), np.random.default_rng(1), silicon(repeat=(2, 1, 1))
    kept, fresh = calculator(model, skin=1.0), calculator(model, skin=0.0)

    def check() -> None:
        found = []
        for calc in (kept, fresh):
            same = atoms.copy()
            same.calc = calc
            values = [same.get_potential_energy(), same.get_forces()]
            found.append([*values, same.get_stress() if same.pbc.all() else 0.0])
        for one, two in zip(*found, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11)

    for step in range(12):
        size = 1.5 if step % 5 == 4 else 0.08
        atoms.positions += size * rng.normal(size=(len(atoms), 3))
        check()
    assert 1 < kept.evaluator.neighbors.searches < fresh.evaluator.neighbors.searches
    atoms.wrap()
    check()
    atoms.positions += 30.0  # all atoms together
    check()
    atoms.set_cell(atoms.cell * 1.1, scale_atoms=True)
    check()
    atoms.set_cell(atoms.cell * 0.97, scale_atoms=False)
    check()
    atoms.pbc = [True, True, False]
    check()
    atoms.pbc = False
    check()
    atoms.pbc = True
    del atoms[0]
    check()
    atoms.append("H")
    check()


def test_neighbours_are_searched_again_when_an_atom_moved_by_half_the_skin() -> None:
    pos = torch.tensor([[0.0, 0.0, 0.0], [4.4, 0.0, 0.0]]).double()
    skin = SkinNeighbors(3.5, 1.0)
    assert len(skin.table(pos, None, None).index[0]) == 0
    pos[0, 0], pos[1, 0] = 0.49, 3.91
    assert len(skin.table(pos, None, None).index[0]) == 1 and skin.searches == 1
    pos[0, 0] = 0.51
    assert len(skin.table(pos, None, None).index[0]) == 1 and skin.searches == 2
    skin.table(pos[:0], None, None)


@pytest.mark.parametrize("pbc", [[True, True, False], [False] * 3])
def test_the_stress_of_slabs_is_refused_with_the_reason(pbc: list[bool]) -> None:
    atoms = silicon(pbc=pbc)
    atoms.calc = calculator()
    assert np.isfinite(atoms.get_potential_energy()) and "stress" not in atoms.calc.results
    with pytest.raises(PropertyNotImplementedError, match="slabs, wires and molecules have no vol"):
        atoms.get_stress()


@pytest.mark.parametrize("radii", [(3.5, 3.5), (3.5, 3.0)])
def test_ensembles_give_means_and_deviations(radii: tuple[float, float]) -> None:
    members = [potential(radius, seed) for seed, radius in enumerate(radii)]
    atoms = silicon()
    atoms.calc = calculator(Ensemble(members))
    assert (atoms.calc.evaluator.neighbors is None) == (radii[0] != radii[1])
    stress, forces = atoms.get_stress(), atoms.get_forces()
    alone = []
    for member in members:
        single = silicon()
        single.calc = calculator(member)
        alone.append((single.get_stress(), single.get_forces()))
    stresses, force = (np.stack(each) for each in zip(*alone, strict=True))
    np.testing.assert_allclose(stress, stresses.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(forces, force.mean(0), rtol=1e-9, atol=1e-12)
    for name, values in (("stress_std", stresses), ("forces_std", force)):
        wanted = values.std(0, ddof=1)
        np.testing.assert_allclose(atoms.calc.results[name], wanted, rtol=1e-7, atol=1e-12)
