"""Second derivatives of potentials, against differences of forces and what symmetry asks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
from ase import Atoms
from test_evaluator import evaluate, evaluator, potential, silicon, water

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from exported_samples import NETWORKS, local_potential

from geozoo.engines import PotentialEvaluator
from geozoo.hub import Ensemble
from geozoo.tasks import Terms

#: Some networks have norms that are smooth on a scale of 1e-2 only.
STEP = 1e-4


def hessian(found: PotentialEvaluator, structure: Atoms, /, **options: Any) -> np.ndarray:
    pos, numbers = structure.positions, structure.numbers
    if not structure.pbc.any():
        return found.hessian(pos, numbers, **options)
    return found.hessian(pos, numbers, structure.cell, structure.pbc, **options)


def from_forces(found: PotentialEvaluator, atoms: Atoms) -> np.ndarray:
    """Central differences of forces, extrapolated from two steps to fourth order."""
    rows = np.zeros((len(atoms), 3, len(atoms), 3))
    for step, factor in ((STEP, 4 / 3), (2 * STEP, -1 / 3)):
        for row in np.ndindex(len(atoms), 3):
            sides = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[row] += sign * step
                sides.append(evaluate(found, moved).forces)
            rows[row] -= factor * (sides[0] - sides[1]) / (2 * step)
    return rows


def assert_equal(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-6) -> None:
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("terms", [{}, {"zbl": True}], ids=["network", "with repulsion"])
@pytest.mark.parametrize("name", ["water", "crystal", "slab"])
def test_it_is_the_derivative_of_the_forces(name: str, terms: dict[str, Any]) -> None:
    atoms = {"water": water(), "crystal": silicon(), "slab": silicon([True, True, False])}[name]
    found = evaluator(potential(terms=Terms(**terms)))
    exact = hessian(found, atoms)
    assert_equal(exact, from_forces(found, atoms))
    square = exact.reshape(3 * len(atoms), -1)
    np.testing.assert_allclose(square, square.T, atol=1e-12 * np.abs(square).max())
    # All atoms together feel nothing.
    np.testing.assert_allclose(exact.sum(2), 0, atol=1e-11 * np.abs(square).max())


@pytest.mark.parametrize(
    ("terms", "library"),
    [({"d3": "pbe"}, "torch_dftd"), ({"charges": {"H": 0.4, "O": -0.8, "Si": 0.0}}, "torchpme")],
    ids=["dispersion", "charges"],
)
@pytest.mark.parametrize("is_periodic", [False, True], ids=["molecule", "crystal"])
def test_other_terms(terms: dict[str, Any], library: str, is_periodic: bool) -> None:
    pytest.importorskip(library)
    atoms, found = water(), evaluator(potential(terms=Terms(**terms)))
    atoms.rattle(0.05, seed=1)
    if is_periodic:
        atoms.set_cell([4.0, 4.2, 4.4])
        atoms.pbc = True
    assert_equal(hessian(found, atoms), from_forces(found, atoms))


def test_forces_turn_with_the_molecule() -> None:
    atoms, found = water(), evaluator()
    atoms.rattle(0.1, seed=0)
    exact, forces = hessian(found, atoms), evaluate(found, atoms).forces
    assert np.abs(forces).max() > 1e-3
    for axis in np.eye(3):
        turned = np.einsum("iajb,jb->ia", exact, np.cross(axis, atoms.positions))
        np.testing.assert_allclose(turned, -np.cross(axis, forces), atol=1e-12)


def test_an_ensemble_has_the_mean() -> None:
    members = [potential(0), potential(1, radius=3.0)]
    together = hessian(evaluator(Ensemble(members)), water())
    alone = [hessian(evaluator(each), water()) for each in members]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 5, 10, 1000])
def test_any_number_of_copies_gives_the_same(chunk: int) -> None:
    found, atoms = evaluator(), silicon()
    wanted = hessian(found, atoms)
    np.testing.assert_allclose(hessian(found, atoms, chunk=chunk), wanted, atol=1e-12)
    some = hessian(found, atoms, chunk=chunk, atoms=[3, 1])
    np.testing.assert_allclose(some, wanted[[3, 1]], atol=1e-12)


def test_lone_atoms_feel_nothing() -> None:
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 9]])
    assert not hessian(evaluator(), atoms).any()
    assert hessian(evaluator(), atoms[:1]).shape == (1, 3, 1, 3)


def test_bad_input_of_a_hessian_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk must be a positive number of atoms, got 0"):
        hessian(evaluator(), water(), chunk=0)
    for atoms in ([], [3], [-1]):
        with pytest.raises(ValueError, match="atoms must be numbers from 0 to 2, got"):
            hessian(evaluator(), water(), atoms=atoms)
    with pytest.raises(ValueError, match="cell must be given"):
        evaluator().hessian(water().positions, [8, 1, 1], pbc=True)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("is_periodic", [False, True], ids=["molecule", "crystal"])
def test_every_network_has_one(name: str, is_periodic: bool) -> None:
    found = evaluator(local_potential(name, {"any_composition": True}))
    atoms = Atoms("CHHO", [[0.0, 0.1, 0.5], [0.0, 0.9, 1.1], [0.0, -0.9, 1.1], [0.1, 0.0, -0.7]])
    if is_periodic:
        atoms.set_cell([[3.1, 0.3, 0.1], [0.2, 3.3, -0.4], [0.5, 0.1, 2.9]])
        atoms.pbc = True
    assert_equal(hessian(found, atoms), from_forces(found, atoms))
