"""Dispersion D3(BJ): other programs, images, batches, the cutoff, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geozoo.physics import DispersionD3

ase = pytest.importorskip("ase")
pytest.importorskip("torch_dftd")
from ase.build import bulk, molecule  # noqa: E402
from ase.neighborlist import neighbor_list  # noqa: E402
from ase_systems import system  # noqa: E402

BOHR = 0.52917726


def energies(term: DispersionD3, *structures) -> torch.Tensor:
    """In eV."""
    atoms = system(*structures)
    return term(atoms, term.pairs(atoms)) / 1000


@pytest.mark.parametrize(
    ("name", "functional", "expected"),
    [("C6H6", "pbe", -0.29815767), ("CH3SiH3", "B3LYP", -0.19996257)],
)
def test_molecules_agree_with_another_program(name: str, functional: str, expected: float) -> None:
    """Energies in eV of tad-dftd3 0.7.0 with s9 = 0."""
    found = energies(DispersionD3(functional, 21.2), molecule(name))
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cutoff", [4.0, 9.0])
def test_crystals_agree_with_the_library_on_full_neighbour_lists(cutoff: float) -> None:
    from torch_dftd.dftd3_xc_params import get_dftd3_default_params
    from torch_dftd.nn.dftd3_module import DFTD3Module

    atoms = bulk("NaCl", "rocksalt", a=4.1)
    atoms.positions[0] += 0.2
    i, j, shift = neighbor_list("ijS", atoms, cutoff)
    module = DFTD3Module(
        get_dftd3_default_params("bj", "pbe"), cutoff=cutoff, cnthr=cutoff, dtype=torch.float64,
        bidirectional=True, cutoff_smoothing="poly",
    )  # fmt: skip
    expected = module.calc_energy_batch(
        torch.tensor(atoms.numbers), torch.tensor(atoms.positions),
        torch.tensor(np.stack([i, j])), cell=torch.tensor(atoms.cell.array)[None],
        shift_pos=torch.tensor(shift @ atoms.cell.array), damping="bj",
    )  # fmt: skip
    found = energies(DispersionD3("pbe", cutoff), atoms)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_mixed_batches_supercells_and_isolated_atoms() -> None:
    term = DispersionD3("pbe", 8.0)
    crystal = bulk("NaCl", "rocksalt", a=5.6)
    slab = crystal.copy()
    slab.pbc = [True, True, False]
    atom = ase.Atoms("C")
    every = (crystal, slab, molecule("H2O"), atom, crystal.repeat((2, 1, 3)))
    found = energies(term, *every)
    single = torch.cat([energies(term, each) for each in every])
    torch.testing.assert_close(found, single)
    assert float(found[3]) == 0.0
    torch.testing.assert_close(found[4], 6 * found[0])


def test_energy_is_smooth_at_the_cutoff() -> None:
    term, end = DispersionD3("pbe", 5.0), 5.0
    pair = [ase.Atoms("Ar2", [[0, 0, 0], [0, 0, end + s]]) for s in (-1e-4, 1e-4)]
    inside, outside = (float(energies(term, each)) for each in pair)
    assert outside == 0.0 and abs(inside) < 1e-12


def test_given_parameters_are_those_of_the_functional() -> None:
    pbe = {"s8": 0.7875, "a1": 0.4289, "a2": 4.4407}
    found = [energies(DispersionD3(each, 21.2), molecule("C6H6")) for each in ("pbe", pbe)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("damping", "cutoff", "message"),
    [
        ("pbee", 21.2, "no Becke-Johnson parameters of 'pbee'"),
        ({"s8": 1.0}, 21.2, "must be a functional or the finite numbers s8, a1 and a2"),
        ({"s8": float("nan"), "a1": 1, "a2": 1}, 21.2, "finite numbers"),
        ("pbe", 0.0, "d3_cutoff must be a positive distance, got 0.0"),
    ],
)
def test_invalid_options_are_refused(damping, cutoff: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DispersionD3(damping, cutoff)


def test_elements_without_coefficients_are_refused() -> None:
    with pytest.raises(ValueError, match="atomic numbers 1 to 94, got 95"):
        energies(DispersionD3("pbe", 5.0), ase.Atoms([95]))
