"""Normal modes of spring models whose frequencies are known, and of a potential."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ase")
from ase import Atoms, units
from ase.build import molecule
from ase.constraints import FixAtoms, FixBondLengths
from test_evaluator import evaluator, water

from geozoo.engines.vibrations import normal_modes, rigid_motions


def springs(atoms: Atoms, pairs: dict[tuple[int, int], float], bend: float = 0.0) -> np.ndarray:
    """Hessian of springs at rest, and of forces against any other displacement of neighbours."""
    found = np.zeros((len(atoms), 3, len(atoms), 3))
    for (i, j), constant in pairs.items():
        axis = atoms.positions[j] - atoms.positions[i]
        axis = axis / np.linalg.norm(axis)
        block = constant * np.outer(axis, axis) + bend * np.eye(3)
        for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            found[a, :, b, :] += sign * block
    return found


def test_two_atoms_on_a_spring() -> None:
    atoms = Atoms("CO", [[0, 0, 0], [0.3, 0.4, 1.0]])
    modes = normal_modes(atoms, springs(atoms, {(0, 1): 100.0}))
    mass = 1 / (1 / atoms.get_masses()).sum()
    joule = 100.0 * units._e / units._amu * 1e20
    wanted = np.sqrt(joule / mass) / (2 * np.pi * units._c * 100)
    assert modes.frequencies == pytest.approx([wanted], rel=1e-9)
    assert modes.rigid.sum() == 5
    assert modes.zero_point_energy == pytest.approx(0.5 * wanted * units.invcm)
    (frame,) = modes.frames()
    assert frame.info["frequency_cm-1"] == pytest.approx(wanted, abs=1e-3)
    along = frame.arrays["mode"] @ [0.3, 0.4, 1.0]
    assert along[0] * 12.011 == pytest.approx(-along[1] * 15.999, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "vibrations"), [("CO2", 4), ("H2O", 3), ("CH4", 9), ("C2H2", 7), ("O", 0)]
)
def test_rigid_motions_are_left_out(name: str, vibrations: int) -> None:
    atoms = molecule(name) if len(name) > 1 else Atoms(name)
    atoms.rotate(37, (1, 2, 3))
    # Random symmetric constants: no rigid motion is a mode by itself.
    random = np.random.default_rng(0).normal(size=(3 * len(atoms), 3 * len(atoms)))
    square = (random @ random.T).reshape(len(atoms), 3, len(atoms), 3)
    modes = normal_modes(atoms, square)
    assert len(modes.frequencies) == vibrations
    assert (modes.frequencies > 1).all()
    root = np.sqrt(atoms.get_masses())[:, None]
    shares = (modes.displacements * root).reshape(vibrations, 3 * len(atoms)) @ rigid_motions(atoms)
    np.testing.assert_allclose(shares, 0, atol=1e-9)


@pytest.mark.parametrize(("pbc", "rigid"), [(0, 6), (1, 4), (2, 3), (3, 3)])
def test_rotations_by_periodicity(pbc: int, rigid: int) -> None:
    atoms = molecule("CH3CH2OH")
    atoms.center(5.0)
    atoms.pbc = [number < pbc for number in range(3)]
    assert rigid_motions(atoms).shape == (27, rigid)


def test_imaginary_frequencies_are_negative() -> None:
    atoms = Atoms("HOH", [[0, 0, -1], [0, 0, 0], [0, 0, 1]])
    modes = normal_modes(atoms, springs(atoms, {(0, 1): 50.0, (1, 2): 50.0}, bend=-3.0))
    assert len(modes.frequencies) == 4 and (modes.frequencies < -10).sum() == 2
    real = modes.energies[modes.energies > 0]
    assert modes.zero_point_energy == pytest.approx(real.sum() / 2)


def test_fixed_atoms_do_not_move() -> None:
    atoms = Atoms("HO", [[0, 0, 0], [0, 0, 1]])
    atoms.set_constraint(FixAtoms([1]))
    modes = normal_modes(atoms, springs(atoms, {(0, 1): 40.0}, bend=2.0))
    assert not modes.rigid.any() and len(modes.energies) == 3
    assert not modes.displacements[:, 1].any() and modes.displacements[:, 0].any()


def test_bad_input_of_modes_is_refused() -> None:
    atoms = water()
    with pytest.raises(ValueError, match=r"must have the shape \(3, 3, 3, 3\), got \(9, 9\)"):
        normal_modes(atoms, np.zeros((9, 9)))
    atoms.set_constraint(FixBondLengths([[0, 1]]))
    with pytest.raises(ValueError, match="must be FixAtoms, got FixBondLengths"):
        normal_modes(atoms, np.zeros((3, 3, 3, 3)))
    atoms.set_constraint(FixAtoms([0, 1, 2]))
    with pytest.raises(ValueError, match="free to move"):
        normal_modes(atoms, np.zeros((3, 3, 3, 3)))


def test_the_modes_of_a_potential_are_those_of_ase(tmp_path: object) -> None:
    from ase.vibrations import Vibrations

    from geozoo.engines.ase import GeozooCalculator

    found, atoms = evaluator(), water()
    atoms.calc = GeozooCalculator(found.model, dtype="float64")
    theirs = Vibrations(atoms, name=f"{tmp_path}/vib", delta=1e-4, nfree=4)
    theirs.run()
    exact = found.hessian(atoms.positions, atoms.numbers)
    data = theirs.get_vibrations(method="standard", direction="central")
    np.testing.assert_allclose(data.get_hessian(), exact, atol=1e-6 * np.abs(exact).max())
