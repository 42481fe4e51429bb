"""Fixed charges: Madelung constants, molecules, derivatives, and refusals."""

from __future__ import annotations

import sys

import pytest
import torch

pytest.importorskip("ase")
from ase import Atoms
from ase.build import bulk, molecule
from ase_systems import system

from geozoo.geometry import random_rotations
from geozoo.physics import FixedCharges

E2 = 14.399645478  # eV angstrom
SALT = {11: 1.0, 17: -1.0, 55: 1.0, 30: 2.0, 16: -2.0, 1: 0.41, 8: -0.82}


def energies(*structures) -> torch.Tensor:
    """In eV."""
    term, atoms = FixedCharges(SALT), system(*structures)
    return term(atoms, term.pairs(atoms)) / 1000


def test_molecules_have_the_sum_over_all_pairs() -> None:
    water = molecule("H2O")
    charges = [SALT[z] for z in water.numbers]
    expected = sum(
        E2 * charges[i] * charges[j] / water.get_distance(i, j) for i in range(3) for j in range(i)
    )
    found = energies(water, Atoms("Na"), molecule("NaCl"))
    assert float(found[0]) == pytest.approx(expected, rel=1e-9)
    assert float(found[1]) == 0.0


def test_periodic_structures_need_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchpme", None)
    with pytest.raises(ModuleNotFoundError, match=r"periodic structures .*geozoo\[physics\]"):
        energies(bulk("NaCl", "rocksalt", a=5.64))
    assert float(energies(molecule("NaCl"))) < 0


@pytest.mark.parametrize(
    ("name", "structure", "distance", "madelung"),
    [
        ("NaCl", "rocksalt", 0.5, 1.7475645946331822),
        ("CsCl", "cesiumchloride", 3**0.5 / 2, 1.76267477307099),
        ("ZnS", "zincblende", 3**0.5 / 4, 4 * 1.63805505338879),
    ],
)
def test_crystals_have_their_madelung_energies(
    name: str, structure: str, distance: float, madelung: float
) -> None:
    pytest.importorskip("torchpme")
    a = 5.4
    atoms = bulk(name, structure, a=a)
    expected = -madelung * E2 / (distance * a)
    assert float(energies(atoms)) == pytest.approx(expected, rel=1e-8)
    atoms = atoms.repeat((2, 1, 3))  # another smearing
    atoms.positions += 7.3
    assert float(energies(atoms)) == pytest.approx(6 * expected, rel=1e-8)


def test_skewed_cells_and_mixed_batches() -> None:
    pytest.importorskip("torchpme")
    generator = torch.Generator().manual_seed(0)
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat((2, 2, 1))
    atoms.positions += 0.3 * torch.randn(len(atoms), 3, generator=generator).numpy()
    skewed, turned = atoms.copy(), atoms.copy()
    skewed.set_cell(atoms.cell.array + [[0] * 3, atoms.cell.array[0], atoms.cell.array[1]])
    rotation = random_rotations(1, 3, generator=generator)[0].double().numpy()
    turned.set_cell(atoms.cell.array @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    every = (atoms, molecule("NaCl"), skewed, turned, molecule("H2O"))
    found = energies(*every)
    torch.testing.assert_close(found, torch.cat([energies(each) for each in every]))
    torch.testing.assert_close(found[[2, 3]], found[[0, 0]], rtol=1e-8, atol=0)


def test_charged_cells_and_slabs_are_refused() -> None:
    pytest.importorskip("torchpme")
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat((2, 1, 1))
    charged = atoms.copy()
    del charged[0]
    with pytest.raises(ValueError, match=r"numbers \[11, 17\] has a net charge of -1"):
        energies(molecule("NaCl"), charged)
    atoms.pbc = [True, True, False]
    with pytest.raises(ValueError, match="periodic in three directions, got pbc .*False"):
        energies(atoms)


def test_elements_without_a_charge_are_refused() -> None:
    with pytest.raises(ValueError, match="no charge of the element with number 6"):
        energies(molecule("CH4"))
    with pytest.raises(ValueError, match="charges must be finite numbers .* got nan for 1"):
        FixedCharges({1: float("nan")})
