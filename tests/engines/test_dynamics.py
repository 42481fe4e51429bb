"""Molecular dynamics and relaxation of small potentials: what is kept, and what stops them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential
from ase.constraints import FixAtoms, FixCom
from test_evaluator import potential, silicon, water

from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.dynamics import (
    DynamicsOptions,
    DynamicsStop,
    _mover,
    degrees_of_freedom,
    dynamics,
    set_velocities,
    temperature_limit,
    time_step_warning,
)
from geozoo.engines.relaxation import RelaxationOptions, relaxation


def argon(repeat: int = 2) -> Atoms:
    from ase.build import bulk

    atoms = bulk("Ar", a=5.3, cubic=True).repeat(repeat)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)
    return atoms


def run(atoms: Atoms, steps: int, *, first: int = 0, **options: Any) -> list[Any]:
    settings = DynamicsOptions(**options)
    if first == 0:
        set_velocities(atoms, settings)
    return list(dynamics(atoms, settings, steps, first=first))


def test_energy_is_conserved_by_a_network() -> None:
    atoms = silicon()
    atoms.calc = GeozooCalculator(potential(), dtype="float64")
    found = run(atoms, 40, ensemble="nve", timestep=0.5, temperature=50.0)
    totals = np.array([state.total for state in found])
    assert [state.number for state in found] == list(range(41))
    assert found[-1].time == 20.0
    assert np.ptp(totals) < 1e-2 * np.ptp([state.kinetic for state in found]) + 1e-7


def test_velocities_have_the_temperature_and_no_motion_as_a_whole() -> None:
    atoms = water()
    set_velocities(atoms, DynamicsOptions(temperature=400.0, ensemble="nve"))
    assert atoms.get_momenta().sum(0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert atoms.get_angular_momentum() == pytest.approx(np.zeros(3), abs=1e-9)
    # Three of nine degrees of freedom translate, and three rotate.
    assert atoms.get_kinetic_energy() == pytest.approx(0.5 * 3 * units.kB * 400)
    again, other = water(), water()
    set_velocities(again, DynamicsOptions(temperature=400.0, ensemble="nve"))
    set_velocities(other, DynamicsOptions(temperature=400.0, seed=1))
    np.testing.assert_array_equal(again.get_momenta(), atoms.get_momenta())
    assert np.abs(other.get_momenta() - atoms.get_momenta()).max() > 0.1
    # A thermostat exchanges angular momentum.
    assert np.abs(other.get_angular_momentum()).max() > 0.1
    assert other.get_kinetic_energy() == pytest.approx(0.5 * 6 * units.kB * 400)


def test_a_thermostat_keeps_the_temperature_and_the_centre() -> None:
    atoms = argon()
    center = atoms.get_center_of_mass()
    found = run(atoms, 600, temperature=40.0, timestep=5.0, friction=0.02)
    assert np.mean([s.temperature for s in found[200:]]) == pytest.approx(40, rel=0.15)
    np.testing.assert_allclose(atoms.get_center_of_mass(), center, atol=1e-9)
    assert isinstance(atoms.constraints[0], FixCom)


def test_fixed_atoms_stay_where_they_are() -> None:
    atoms = argon()
    atoms.set_constraint(FixAtoms([0, 3]))
    before = atoms.positions.copy()
    found = run(atoms, 300, temperature=40.0, timestep=5.0, friction=0.05)
    np.testing.assert_array_equal(atoms.positions[[0, 3]], before[[0, 3]])
    assert np.mean([s.temperature for s in found[100:]]) == pytest.approx(40, rel=0.25)


@pytest.mark.thorough
def test_a_barostat_moves_the_cell() -> None:
    pytest.importorskip("ase.md.nose_hoover_chain", reason="older ASE has no barostat of MTK")
    atoms = argon()
    found = run(
        atoms, 400, ensemble="npt", temperature=40.0, timestep=5.0, pressure=0.3
    )  # fmt: skip
    assert np.mean([state.volume for state in found]) < 0.97 * found[0].volume
    assert np.mean([state.pressure for state in found]) == pytest.approx(0.3, abs=0.1)
    isolated = water()
    isolated.calc = GeozooCalculator(potential(), dtype="float64")
    with pytest.raises(ValueError, match="npt needs a structure that is periodic in three"):
        run(isolated, 5, ensemble="npt")


def test_the_thermostat_under_pressure_knows_that_the_centre_rests() -> None:
    """ASE's counts 3 N degrees of freedom, and makes a crystal of four atoms hotter by a third."""
    pytest.importorskip("ase.md.nose_hoover_chain", reason="older ASE has no barostat of MTK")
    atoms = argon(1)
    options = DynamicsOptions(ensemble="npt", temperature=40.0, timestep=5.0)
    set_velocities(atoms, options)
    mover = _mover(atoms, options, 0)
    momenta = atoms.get_momenta()
    # At the temperature, the thermostat has nothing to do.
    np.testing.assert_allclose(
        mover._thermostat.integrate_nhc(momenta.copy(), mover.dt), momenta, rtol=1e-9, atol=1e-12
    )
    # And the barostat conserves the energy of the extended system.
    start = mover.get_conserved_energy()
    mover.run(200)
    drift = mover.get_conserved_energy() - start
    assert abs(drift) < 0.02 * atoms.get_kinetic_energy(), drift


@pytest.mark.slow
def test_the_temperature_under_pressure_is_the_requested_one() -> None:
    pytest.importorskip("ase.md.nose_hoover_chain", reason="older ASE has no barostat of MTK")
    found = run(argon(1), 8000, ensemble="npt", temperature=40.0, timestep=5.0)
    # Means of this length scatter by 8 % over seeds; too many degrees of freedom would add 33 %.
    assert np.mean([s.temperature for s in found[1000:]]) == pytest.approx(40, rel=0.25)


@pytest.mark.parametrize(("name", "freedom"), [("H2O", 3), ("CO2", 4), ("H2", 1), ("CH4", 9)])
def test_molecules_of_constant_energy_neither_move_nor_rotate(name: str, freedom: int) -> None:
    options = DynamicsOptions(ensemble="nve", temperature=500.0)
    atoms = molecule(name)
    set_velocities(atoms, options)
    assert degrees_of_freedom(atoms, options) == freedom
    assert 2 * atoms.get_kinetic_energy() / (units.kB * freedom) == pytest.approx(500)


def test_a_run_that_goes_on_takes_the_same_path() -> None:
    whole, halves = argon(), argon()
    wanted = run(whole, 20, ensemble="nve", temperature=30.0, timestep=5.0)
    found = run(halves, 10, ensemble="nve", temperature=30.0, timestep=5.0)
    later = run(halves, 20, first=10, ensemble="nve", temperature=30.0, timestep=5.0)
    assert [s.number for s in later] == list(range(10, 21))
    assert later[-1].total == pytest.approx(wanted[-1].total, abs=1e-12)
    assert found[-1].total == later[0].total
    np.testing.assert_allclose(halves.positions, whole.positions, atol=1e-12)


def test_atoms_that_fly_apart_stop_the_run() -> None:
    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 2.2]])  # far up the wall
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=10.0)
    with pytest.raises(DynamicsStop, match=r"step \d+ .* exceeds max_temperature=.*atom [01] \(Ar"):
        run(atoms, 500, temperature=10.0, timestep=2.0)
    atoms = argon(1)
    with pytest.raises(DynamicsStop, match=r"step \d+ .*max_drift=1e-06; the fastest is atom"):
        run(atoms, 500, ensemble="nve", timestep=20.0, max_drift=1e-6)
    with pytest.raises(DynamicsStop, match=r"exceeds max_temperature=20; the fastest"):
        run(argon(1), 500, temperature=100.0, max_temperature=20.0)


def test_forces_that_are_not_numbers_stop_the_run() -> None:
    class Broken(MorsePotential):  # type: ignore[misc]
        calls = 0

        def calculate(self, *args: Any, **options: Any) -> None:
            super().calculate(*args, **options)
            self.calls += 1
            if self.calls == 4:
                self.results["forces"] = self.results["forces"] * np.nan

    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 1.5]], calculator=Broken())
    with pytest.raises(DynamicsStop, match=r"of atom 0 \(Ar\) are not finite"):
        run(atoms, 20, ensemble="nve", timestep=0.1, temperature=1.0)


def test_a_structure_that_is_refused_at_the_start_is_not_a_crash() -> None:
    atoms = Atoms("C2", [[0, 0, 0], [0, 0, 1.3]])
    atoms.calc = GeozooCalculator(potential(), dtype="float64")
    with pytest.raises(ValueError, match="atomic numbers must occur in the training data"):
        run(atoms, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": "nph"}, "ensemble must be one of nve, nvt, npt, got 'nph'"),
        ({"timestep": 0.0}, "timestep must be positive"),
        ({"pressure": float("nan"), "ensemble": "npt"}, "pressure must be a finite number in GPa"),
        ({"temperature": 0.0}, "temperature must be at least 0.001 K"),
        ({"temperature": -1.0, "ensemble": "nve"}, "temperature must be at least"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DynamicsOptions(**options)


def test_limits_and_warnings() -> None:
    assert temperature_limit(300, 3000) == 1500
    assert temperature_limit(300, 3) == pytest.approx(300 * (1 + 10 * (2 / 3) ** 0.5))
    assert time_step_warning(water(), 2.0) is None
    assert "hydrogen" in str(time_step_warning(water(), 2.5))
    assert time_step_warning(silicon(), 5.0) is None


@pytest.mark.parametrize("optimizer", ["lbfgs", "bfgs", "fire"])
def test_relaxation_ends_where_forces_vanish(optimizer: str) -> None:
    atoms = argon()
    atoms.rattle(0.1, seed=0)
    steps = list(relaxation(atoms, RelaxationOptions(optimizer, fmax=1e-4)))
    assert steps[-1].is_relaxed and not steps[0].is_relaxed
    assert steps[-1].fmax <= 1e-4 and np.abs(atoms.get_forces()).max() <= 1e-4
    assert steps[-1].energy < steps[0].energy
    assert [step.number for step in steps] == list(range(len(steps)))


def test_relaxation_of_the_cell_under_pressure() -> None:
    atoms = argon()
    options = RelaxationOptions(cell=True, pressure=0.2, fmax=1e-5)
    *_, last = relaxation(atoms, options)
    assert last.is_relaxed and last.pressure == pytest.approx(0.2, rel=1e-3)
    atoms.pbc = [True, True, False]
    with pytest.raises(ValueError, match="cell=true needs a structure that is periodic"):
        next(relaxation(atoms, options))


def test_too_few_steps_are_not_enough() -> None:
    atoms = argon()
    atoms.rattle(0.1, seed=0)
    steps = list(relaxation(atoms, RelaxationOptions(fmax=1e-6, steps=2)))
    assert len(steps) == 3 and not steps[-1].is_relaxed


def test_pressure_without_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="pressure needs cell=true"):
        RelaxationOptions(pressure=1.0)
    with pytest.raises(ValueError, match="pressure must be a finite number in GPa, got inf"):
        RelaxationOptions(pressure=float("inf"), cell=True)
    with pytest.raises(ValueError, match="fmax must be a positive force in eV/angstrom, got inf"):
        RelaxationOptions(fmax=float("inf"))
