"""Energies of atoms and dipoles, from structure files through training to predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.io import read, write
from energy_samples import FREE, frame

from geozoo.cli._arguments import Predict
from geozoo.cli._launch import launch
from geozoo.cli._predicting import predict
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import load
from geozoo.report.screen import Screen
from geozoo.runs.evaluation import evaluation

WORDS = (
    "model=painn", "dataset=extxyz", "recipe=none", "trainer=quick", "trainer.max_epochs=1",
    "trainer.accelerator=cpu", "model.hidden_channels=8", "model.num_layers=1", "model.num_basis=4",
    "task.dipole_weight=0.5", "task.atom_energy_weight=0.5", "task.scale_by=species",
    "dataset.atom_energies={H: -13.6, C: -1030.0, O: -2040.0}",
)  # fmt: skip


def structures(count: int, seed: int = 0) -> list:
    """Molecules with a dipole of fixed charges, and energies of their atoms in every second."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        atoms = frame(("OHH", "CHHHH")[number % 2], rng)
        charge = np.array([{"H": 0.3, "O": -0.6, "C": -1.2}[s] for s in atoms.symbols])
        atoms.calc.results["dipole"] = charge @ atoms.positions
        if number % 4 < 2:
            free = np.array([FREE[s] for s in atoms.symbols])
            rest = atoms.calc.results["energy"] - free.sum()
            atoms.calc.results["energies"] = free + rest / len(atoms)
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: Any) -> tuple[Path, Path, Path]:
    """Two runs, and their data."""
    folder = tmp_path_factory.mktemp("targets")
    write(folder / "a.xyz", structures(20), format="extxyz")
    for seed in (0, 1):
        launch([*WORDS, f"dataset.path={folder / 'a.xyz'}", f"run_dir={folder / str(seed)}",
                f"seed={seed}"])  # fmt: skip
    return folder / "0", folder / "1", folder / "a.xyz"


@pytest.mark.thorough
def test_a_run_measures_and_predicts_energies_of_atoms_and_dipoles(runs: Any) -> None:
    run, other, file = runs
    model = load(run)
    assert model.description.task["scale_by"] == "species"
    assert (model.model.level, model.model.out_channels, model.model.out_vectors) == ("node", 2, 1)
    metrics = evaluation(str(run), []).tested.metrics
    assert {"atom_energy_mae", "dipole_mae"} <= {name.removeprefix("test/") for name in metrics}
    plain = structures(8, seed=3)
    for atoms in plain:
        atoms.calc = None
    write(file.parent / "in.xyz", plain, format="extxyz")
    paths = {"input": file.parent / "in.xyz", "out": file.parent / "out.xyz"}
    predict(Predict(checkpoint=str(run), **paths), Screen())
    calculator, pair = GeozooCalculator(run), GeozooCalculator([run, other])
    for atoms in read(file.parent / "out.xyz", ":"):
        results, again = atoms.calc.results, atoms.copy()
        assert results["energies"].sum() == pytest.approx(results["energy"], rel=1e-7)
        again.calc = calculator
        np.testing.assert_allclose(again.get_potential_energies(), results["energies"], rtol=1e-6)
        np.testing.assert_allclose(again.get_dipole_moment(), results["dipole"], atol=1e-6)
        again.calc = pair
        mean = again.get_dipole_moment()
        assert pair.results["dipole_std"].shape == mean.shape == (3,)
        assert pair.results["energies_std"].shape == (len(again),)
    crystal = bulk("C")
    crystal.calc = calculator
    with pytest.raises(PropertyNotImplementedError, match="dipole requires an isolated structure"):
        crystal.get_dipole_moment()


@pytest.mark.thorough
def test_a_run_is_evaluated_on_data_without_these_targets(runs: Any) -> None:
    run, _, file = runs
    plain = structures(10, seed=4)
    for atoms in plain:
        atoms.calc.results = {"energy": atoms.calc.results["energy"]}
    write(file.parent / "plain.xyz", plain, format="extxyz")
    metrics = evaluation(str(run), [f"dataset.path={file.parent / 'plain.xyz'}"]).tested.metrics
    assert not any("dipole" in name or "atom_energy" in name for name in metrics)
