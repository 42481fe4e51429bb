"""Statistics and units."""

from __future__ import annotations

import pytest
import torch

from geozoo.data import (
    KCAL_MOL_TO_MEV,
    energy_factor,
    energy_force_statistics,
    length_factor,
    mean_and_std,
)


def test_mean_and_std_by_hand() -> None:
    assert mean_and_std(torch.tensor([1.0, 3.0, 5.0, 7.0])) == (4.0, 5.0**0.5)
    assert mean_and_std(torch.tensor([[1], [3]])) == (2.0, 1.0)


def test_large_energies_keep_their_digits() -> None:
    # In float32 these four would be one number.
    energy = -1.7e7 + torch.tensor([0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    statistics = energy_force_statistics(energy, torch.ones(4, 3))
    assert statistics["energy_shift"] == -1.7e7 + 0.625


def test_energy_scale_is_the_rms_of_force_components() -> None:
    forces = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    statistics = energy_force_statistics(torch.zeros(1, dtype=torch.float64), forces)
    assert statistics == {"energy_shift": 0.0, "energy_scale": (25 / 6) ** 0.5}


@pytest.mark.parametrize(
    ("energy", "forces", "message"),
    [
        ([], [[1.0, 0, 0]], "energy is empty"),
        ([0.0], [], "forces is empty"),
        ([torch.nan], [[1.0, 0, 0]], "energy contains NaN"),
        ([0.0], [[torch.inf, 0, 0]], "forces contains NaN or infinite"),
        ([0.0], [[0.0, 0, 0]], "forces are all zero"),
    ],
)
def test_unusable_targets_are_rejected(energy: list, forces: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_force_statistics(torch.tensor(energy), torch.tensor(forces))


def test_constant_values_have_no_scale() -> None:
    with pytest.raises(ValueError, match="values are all equal"):
        mean_and_std(torch.ones(3))


def test_energy_units_agree_with_ase() -> None:
    units = pytest.importorskip("ase.units")
    known = {"eV": units.eV, "kcal/mol": units.kcal / units.mol, "kJ/mol": units.kJ / units.mol}
    for unit, value in {**known, "hartree": units.Hartree, "meV": 1e-3}.items():
        # ASE has the CODATA values of 2014
        assert energy_factor(unit) == pytest.approx(1e3 * value, rel=5e-8)
    assert length_factor("bohr") == pytest.approx(units.Bohr, rel=5e-8)


def test_kcal_per_mol_is_exact() -> None:
    assert pytest.approx(43.36410424180094, rel=1e-15) == KCAL_MOL_TO_MEV


def test_unknown_units_are_rejected() -> None:
    with pytest.raises(ValueError, match="energy_unit must be one of meV, eV, kcal/mol"):
        energy_factor("kcal")
    with pytest.raises(ValueError, match="length_unit must be one of angstrom, bohr; got 'nm'"):
        length_factor("nm")
