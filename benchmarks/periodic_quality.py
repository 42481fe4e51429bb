"""Crystal properties of a trained potential next to those of the potential that labelled its data.

    python -m benchmarks.periodic_quality runs/painn-copper_emt/<run>
    python -m benchmarks.periodic_quality RUN teacher=sevennet-0 picoseconds=0.5   # extra universal

Lattice constant, bulk modulus (Birch-Murnaghan fit to energies), elastic constants (finite strains,
atoms relaxed), vibrations of the cubic cell at Gamma, drift of the total energy at constant energy,
mean volume at constant temperature and zero pressure, and a relaxation of cell and atoms from a
strained start. Both potentials get the same starts and random numbers.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.velocitydistribution import Stationary
from ase.optimize import BFGS
from ase.vibrations import Vibrations
from omegaconf import OmegaConf

from benchmarks._record import record
from benchmarks.energy_conservation import trajectory
from geozoo.data.molecules.crystal_frames import random_strain, strained
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub.loading import load
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet

#: Formula, structure and approximate lattice constant (angstrom), and teacher, by dataset.
CRYSTALS = {
    "copper_emt": ("Cu", "fcc", 3.6, "emt"),
    "silicon_sevennet": ("Si", "diamond", 5.45, "sevennet-0"),
    "salt_sevennet": ("NaCl", "rocksalt", 5.64, "sevennet-0"),
}
OPTIONS = {
    "dataset": None,  # one of CRYSTALS; null = that of the run
    "teacher": None,  # emt | sevennet-0 | none; null = that of the dataset
    "picoseconds": 5.0,  # of each molecular dynamics run
    "femtoseconds": 2.0,  # of its steps
    "kelvin": 300.0,
    "repeat": 2,  # cubic cells along each axis, for molecular dynamics
    "dtype": "float64",  # of the student
    "record": False,
}
_FORCE = 1e-3  # eV/angstrom, of relaxations
_STRAIN = 5e-3
_THZ_PER_INVERSE_CM = 0.0299792458
#: Vibrations that differ by less are printed as one row.
_DEGENERATE_THZ = 0.02
Values = dict[str, float]


def teacher_calculator(name: str) -> Calculator:
    """The potential that labelled the data.

    Raises:
        ImportError: If its package is not installed.
        ValueError: If the name is unknown.
    """
    if name == "emt":
        from ase.calculators.emt import EMT

        return EMT()
    if name != "sevennet-0":
        raise ValueError(f"teacher must be emt, sevennet-0 or none, got {name!r}")
    # As in the package sevenn to 1e-14 (`python -m benchmarks.sevennet`), and faster.
    return GeozooCalculator(load("sevennet-0"))


def relaxed(atoms: Atoms, calculator: Calculator) -> Atoms:
    """A copy at the minimum of positions and volume."""
    atoms = atoms.copy()
    atoms.calc = calculator
    BFGS(FrechetCellFilter(atoms, hydrostatic_strain=True), logfile=None).run(_FORCE, 300)
    return atoms


def equation_of_state(crystal: Atoms) -> Values:
    """Lattice constant, energy, and bulk modulus from energies at seven volumes."""
    volumes, energies = [], []
    for size in np.linspace(-0.02, 0.02, 7):
        atoms = strained(crystal, size * np.eye(3))
        atoms.calc = crystal.calc
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    _, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    return {
        "lattice constant [angstrom]": crystal.get_volume() ** (1 / 3),
        "energy [eV/atom]": crystal.get_potential_energy() / len(crystal),
        "bulk modulus [GPa]": modulus / units.GPa,
    }


def elastic_constants(crystal: Atoms) -> Values:
    """C11, C12 and C44 from stresses at small strains of both signs, with relaxed atoms."""
    tension, shear = np.zeros((3, 3)), np.zeros((3, 3))
    tension[0, 0] = 1.0
    shear[1, 2] = shear[2, 1] = 0.5  # an angle of 1
    slopes = []
    for strain in (tension, shear):
        stresses = []
        for sign in (1, -1):
            atoms = strained(crystal, sign * _STRAIN * strain)
            atoms.calc = crystal.calc
            BFGS(atoms, logfile=None).run(_FORCE, 300)
            stresses.append(atoms.get_stress())
        slopes.append((stresses[0] - stresses[1]) / (2 * _STRAIN) / units.GPa)
    (normal, sheared) = slopes
    return {
        "C11 [GPa]": normal[0],
        "C12 [GPa]": (normal[1] + normal[2]) / 2,
        "C44 [GPa]": sheared[3],
    }


def vibrations(crystal: Atoms) -> Values:
    """Frequencies of the cubic cell at Gamma, among them zone-boundary modes of the primitive."""
    with tempfile.TemporaryDirectory() as folder:
        found = Vibrations(crystal, name=f"{folder}/modes", delta=0.01)
        found.run()
        frequencies = found.get_frequencies()
    # Unstable modes are imaginary: shown as negative numbers. Three translations have none.
    signed = np.where(
        np.abs(frequencies.imag) > frequencies.real, -frequencies.imag, frequencies.real
    )
    signed = np.sort(np.delete(signed, np.argsort(np.abs(signed))[:3]))
    thz = signed * _THZ_PER_INVERSE_CM
    return {f"vibration {number + 1} [THz]": float(value) for number, value in enumerate(thz)}


def constant_energy(crystal: Atoms, options: Any) -> Values:
    """Drift and largest deviation of the total energy, from twice the kinetic energy."""
    atoms = crystal.repeat(options.repeat)
    atoms.calc = crystal.calc
    doubled = argparse.Namespace(**{**options, "kelvin": 2 * options.kelvin})
    total, _ = trajectory(atoms, doubled)
    slope = np.polyfit(np.linspace(0.0, options.picoseconds, len(total)), total, 1)[0]
    return {
        "drift [meV/atom/ps]": float(slope),
        "largest energy deviation [meV/atom]": float(np.abs(total - total[0]).max()),
    }


def constant_pressure(crystal: Atoms, options: Any) -> Values:
    """Mean volume at zero pressure over the second half of a run."""
    atoms = crystal.repeat(options.repeat)
    atoms.calc = crystal.calc
    spread = np.sqrt(2 * options.kelvin * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(0).standard_normal((len(atoms), 3)))
    Stationary(atoms)
    step = options.femtoseconds * units.fs
    dynamics = IsotropicMTKNPT(
        atoms, step, temperature_K=options.kelvin, pressure_au=0.0, tdamp=50 * step,
        pdamp=250 * step,
    )  # fmt: skip
    volumes: list[float] = []
    dynamics.attach(lambda: volumes.append(atoms.get_volume() / len(atoms)))
    dynamics.run(round(1e3 * options.picoseconds / options.femtoseconds))
    half = volumes[len(volumes) // 2 :]
    return {f"volume at {options.kelvin:g} K [angstrom^3/atom]": float(np.mean(half))}


def relaxation(crystal: Atoms) -> Values:
    """Steps of a relaxation of cell and atoms from a strained start, and where it ends."""
    generator = np.random.default_rng(0)
    atoms = strained(crystal, random_strain(generator, 0.03))
    atoms.positions += 0.05 * generator.standard_normal((len(atoms), 3))
    atoms.calc = crystal.calc
    dynamics = BFGS(FrechetCellFilter(atoms), logfile=None)
    has_converged = dynamics.run(0.005, 500)
    ground = crystal.get_potential_energy() / len(crystal)
    return {
        "relaxation, steps": float(dynamics.nsteps if has_converged else np.nan),
        "relaxation, energy above the crystal [meV/atom]": 1e3
        * (atoms.get_potential_energy() / len(atoms) - ground),
        "relaxation, volume change [%]": 100 * (atoms.get_volume() / crystal.get_volume() - 1),
    }


def measure(calculator: Calculator, crystal: tuple[str, str, float, str], options: Any) -> Values:
    """All properties of a crystal with one potential.

    Args:
        calculator: the potential.
        crystal: a value of `CRYSTALS`.
        options: see `OPTIONS`.
    """
    name, structure, constant, _ = crystal
    atoms = relaxed(bulk(name, structure, a=constant, cubic=True), calculator)
    static: tuple[Callable[[Atoms], Values], ...] = (
        equation_of_state, elastic_constants, vibrations, relaxation,
    )  # fmt: skip
    found: Values = {}
    for part in static:
        found |= part(atoms)
    return found | constant_energy(atoms, options) | constant_pressure(atoms, options)


def options_of(arguments: list[str]) -> Any:
    """The options from ``key=value`` arguments.

    Raises:
        ValueError: If a key is unknown.
    """
    given = OmegaConf.from_dotlist(arguments)
    if unknown := sorted(set(map(str, given)) - set(OPTIONS)):
        raise ValueError(f"unknown arguments {unknown}; known: {', '.join(OPTIONS)}")
    return OmegaConf.merge(OmegaConf.create(OPTIONS), given)


def table(student: Values, teacher: Values) -> Sheet:
    """Both columns and their difference; degenerate vibrations share a row."""
    sheet = Sheet("property", "student", "teacher", "difference")
    for names in _rows(student):
        label = names[0]
        if len(names) > 1:
            label = f"vibrations {_number(names[0])}-{_number(names[-1])} [THz]"
        ours = float(np.mean([student[name] for name in names]))
        theirs = float(np.mean([teacher.get(name, np.nan) for name in names]))
        known = (f"{theirs:.5g}", f"{ours - theirs:+.3g}") if names[0] in teacher else ("", "")
        sheet.add(label, f"{ours:.5g}", *known)
    return sheet


def _rows(values: Values) -> list[list[str]]:
    """Names of values, those of equal vibrations together."""
    rows: list[list[str]] = []
    for name, value in values.items():
        is_equal = rows and abs(value - values[rows[-1][-1]]) < _DEGENERATE_THZ
        if is_equal and name.startswith("vibration ") and rows[-1][-1].startswith("vibration "):
            rows[-1].append(name)
        else:
            rows.append([name])
    return rows


def _number(name: str) -> str:
    return name.split()[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", help="run, or trained potential")
    parser.add_argument("options", nargs="*", metavar="key=value", help=", ".join(OPTIONS))
    arguments = parser.parse_args()
    options = options_of(arguments.options)
    model = load(arguments.run)
    dataset = options.dataset or model.spec.record.dataset
    if dataset not in CRYSTALS:
        raise SystemExit(f"dataset must be one of {', '.join(CRYSTALS)}, got {dataset!r}")
    crystal = CRYSTALS[dataset]
    name = options.teacher or crystal[-1]
    teacher = None if name == "none" else teacher_calculator(name)
    student = measure(GeozooCalculator(model, dtype=options.dtype), crystal, options)
    reference = {} if teacher is None else measure(teacher, crystal, options)
    Screen().show(table(student, reference))
    if options.record:
        given = {key: options[key] for key in ("picoseconds", "femtoseconds", "kelvin", "repeat")}
        row = {"model": arguments.run, "dataset": dataset, "teacher": name, **given}
        record("periodic_quality", {**row, "student": student, "reference": reference})


if __name__ == "__main__":
    main()
