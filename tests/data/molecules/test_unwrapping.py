"""Unwrapping molecules across periodic boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from geozoo.data import ExtXYZ, LoaderOptions, read_structures
from geozoo.data.molecules._unwrapping import unwrapped

CELL = np.array([[9.0, 0, 0], [2.0, 8.5, 0], [-1.0, 1.5, 10.0]])


def boxed(name: str = "CH3CH2OH", shift: tuple[float, ...] = (0.1, 0.2, 9.9), pbc=True) -> Atoms:
    """A molecule whose atoms are wrapped into a triclinic cell."""
    atoms = molecule(name)
    atoms.set_cell(CELL)
    atoms.pbc = pbc
    atoms.positions += shift
    atoms.wrap()
    return atoms


def distances(pos: np.ndarray) -> np.ndarray:
    return np.linalg.norm(pos[:, None] - pos[None], axis=-1)


@pytest.mark.parametrize("shift", [(0.1, 0.2, 9.9), (4.0, 4.0, 4.0), (8.9, 8.4, 0.1), (0, 0, 0)])
@pytest.mark.parametrize("pbc", [True, (True, False, True)])
def test_all_distances_are_those_of_the_molecule(shift, pbc):
    atoms = boxed(shift=shift, pbc=pbc)
    pos = unwrapped(atoms.numbers, atoms.positions, np.asarray(atoms.cell), atoms.pbc, "it")
    free = molecule("CH3CH2OH").positions
    np.testing.assert_allclose(distances(pos), distances(free), atol=1e-10)
    moves = (pos - atoms.positions) @ np.linalg.inv(CELL)
    np.testing.assert_allclose(moves, moves.round(), atol=1e-10)


def test_separate_molecules_stay_separate():
    two = molecule("H2O") + molecule("CH4")
    two.positions[3:] += 4.0
    two.set_cell(CELL)
    two.pbc = True
    two.positions += (8.8, 0, 0)
    two.wrap()
    pos = unwrapped(two.numbers, two.positions, CELL, two.pbc, "it")
    for rows, name in ((slice(0, 3), "H2O"), (slice(3, 8), "CH4")):
        np.testing.assert_allclose(
            distances(pos[rows]), distances(molecule(name).positions), atol=1e-10
        )


def test_a_crystal_is_rejected():
    crystal = bulk("C", "diamond", a=3.57, cubic=True)
    with pytest.raises(ValueError, match="it: the bonds form an infinite network"):
        unwrapped(crystal.numbers, crystal.positions, np.asarray(crystal.cell), crystal.pbc, "it")


def labelled(atoms: Atoms) -> Atoms:
    forces = np.arange(3.0 * len(atoms)).reshape(-1, 3)
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=forces, dipole=np.zeros(3))
    atoms.info["charge"] = 1
    return atoms


@pytest.mark.parametrize("length_unit", ["angstrom", "bohr"])
def test_training_sees_the_whole_molecule(tmp_path, length_unit, caplog):
    factor = 1.0 if length_unit == "angstrom" else 1 / 0.529177210544
    frames = [labelled(boxed(shift=(k, 2 * k, 9 - k))) for k in range(10)]
    for atoms in frames:
        calc = atoms.calc
        atoms.set_cell(CELL * factor)
        atoms.positions *= factor
        atoms.calc = calc
    write(tmp_path / "box.xyz", frames, format="extxyz")
    data = ExtXYZ(
        path=tmp_path / "box.xyz", loader=LoaderOptions(batch_size=2), ignore_cell=True,
        length_unit=length_unit,
    )  # fmt: skip
    with (
        pytest.warns(UserWarning, match="10 periodic structures are treated as"),
        caplog.at_level("INFO"),
    ):
        store = data.store
    free = distances(molecule("CH3CH2OH").positions)
    for pos in store.node["pos"].view(10, 9, 3).double().numpy():
        np.testing.assert_allclose(distances(pos), free, atol=1e-5)
    assert "not read: charge, dipole" in caplog.text


def test_predictions_keep_the_cell(tmp_path):
    from geozoo.cli._prediction_files import Predictions, write_predictions

    write(tmp_path / "box.xyz", [boxed()], format="extxyz")
    with pytest.warns(UserWarning, match=r"1 periodic structures of box\.xyz"):
        structures = read_structures(tmp_path / "box.xyz", ignore_cell=True)
    free = distances(molecule("CH3CH2OH").positions)
    np.testing.assert_allclose(distances(structures[0].pos), free, atol=1e-6)
    found = Predictions({}, {}, {}, np.array([9]), structures)
    write_predictions(found, tmp_path / "out.extxyz")
    again = read(tmp_path / "out.extxyz")
    np.testing.assert_allclose(again.cell, CELL, atol=1e-6)
    assert again.pbc.all()
    np.testing.assert_allclose(again.positions, boxed().positions, atol=1e-6)
