"""A potential that continues another one: its architecture, scale and forces, other energies."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from omegaconf import OmegaConf
from tiny_configs import TINY

from geozoo.engines.ase import GeozooCalculator
from geozoo.runs.trained import trained_model

#: eV per atom between the two files, as between two programs.
BETWEEN = {"Cu": -1000.0, "Au": 500.0}
WORDS = (
    "model=painn", "dataset=extxyz", "trainer.accelerator=cpu", "dataset.loader.batch_size=4",
    "trainer.max_epochs=1",
)  # fmt: skip


def frames(moved: bool) -> list[Atoms]:
    """Clusters of four atoms with energies of EMT, or energies of another program."""
    random, found = np.random.default_rng(0), []
    for number in range(20):
        symbols = "Cu3Au" if number % 2 else "Cu2Au2"
        atoms = Atoms(symbols, 2.0 * np.eye(4)[:, :3] + 0.1 * random.normal(size=(4, 3)))
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        if moved:
            energy += sum(BETWEEN[symbol] for symbol in atoms.get_chemical_symbols())
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        found.append(atoms)
    return found


def predicted(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Energies and forces of all clusters by a run, in eV and angstrom."""
    calculator = GeozooCalculator(trained_model(str(run)))
    found = []
    for atoms in frames(False):
        atoms.calc = calculator
        found.append((atoms.get_potential_energy(), atoms.get_forces()))
    energies, forces = zip(*found, strict=True)
    return np.array(energies), np.array(forces)


@pytest.mark.thorough
def test_energies_of_other_programs(geozoo_train, tmp_path: Path, caplog) -> None:
    for name, moved in (("here.xyz", False), ("there.xyz", True)):
        ase.io.write(tmp_path / name, frames(moved))
    small = ("model.hidden_channels=8", "model.num_layers=1")
    assert geozoo_train(*WORDS, *small, "dataset.path=here.xyz", "run_dir=one") == 0
    again = ("dataset.path=there.xyz", "init_from=one", "optimizer.lr=0")
    assert geozoo_train(*WORDS, *again, "init_energies=fitted", "run_dir=two") == 0
    assert "hyperparameters of one: model.hidden_channels=8, model.num_layers=1" in caplog.text
    assert "energy scale of one, with energies of atoms fitted to the training" in caplog.text
    assert OmegaConf.load(tmp_path / "two" / "config.yaml").model.hidden_channels == 8
    before, after = predicted(tmp_path / "one"), predicted(tmp_path / "two")
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)
    between = [
        sum(BETWEEN[symbol] for symbol in atoms.get_chemical_symbols()) for atoms in frames(False)
    ]
    # What remains is what the network does not explain, fitted to each composition.
    assert np.abs(after[0] - before[0] - between).max() < 20
    assert np.abs(between).min() > 900


def test_there_must_be_a_potential(tiny_run, geozoo_train, capsys) -> None:
    assert geozoo_train(*TINY, "init_energies=fitted") == 1
    assert "there is no trained potential; set init_from" in "".join(capsys.readouterr())
    assert geozoo_train(*TINY, f"init_from={tiny_run}", "init_energies=fitted") == 1
    said = " ".join("".join(capsys.readouterr()).split())
    assert "init_energies=fitted requires task=potential and a trained potential" in said
