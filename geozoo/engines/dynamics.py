"""Molecular dynamics by the integrators of ASE, with checks after every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

from geozoo.engines.relaxation import pressure_of
from geozoo.engines.vibrations import rigid_motions

ENSEMBLES = ("nve", "nvt", "npt")
#: Time constants of the thermostat and barostat of NPT in steps, as ASE recommends.
_TDAMP, _PDAMP = 100, 1000
#: Hydrogen vibrates with a period of about 9 fs.
_STEP_WITH_HYDROGEN = 2.0


class DynamicsStop(RuntimeError):  # noqa: N818
    """The atoms fly apart; the message names step and atom."""


@dataclass(frozen=True)
class DynamicsOptions:
    """How atoms move.

    Attributes:
        ensemble: ``"nve"`` (velocity Verlet), ``"nvt"`` (Langevin) or ``"npt"`` (isotropic
            Martyna-Tobias-Klein).
        temperature: in kelvin: of the thermostat, and of the first velocities.
        pressure: in GPa, of ``"npt"``.
        timestep: in fs.
        friction: of ``"nvt"``, in 1/fs.
        seed: of velocities and noise.
        max_temperature: in kelvin, at which the dynamics stops; None: with a thermostat
            `temperature_limit`, without one none.
        max_drift: largest change of the total energy of ``"nve"``, in eV per atom.

    Raises:
        ValueError: If the ensemble is unknown, or a number is outside its range.
    """

    ensemble: str = "nvt"
    temperature: float = 300.0
    pressure: float = 0.0
    timestep: float = 1.0
    friction: float = 0.01
    seed: int = 0
    max_temperature: float | None = None
    max_drift: float = 0.01

    def __post_init__(self) -> None:
        """Check the values."""
        if self.ensemble not in ENSEMBLES:
            raise ValueError(
                f"ensemble must be one of {', '.join(ENSEMBLES)}, got {self.ensemble!r}"
            )
        for name in ("timestep", "friction", "max_drift"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        if not math.isfinite(self.pressure):
            raise ValueError(f"pressure must be a finite number in GPa, got {self.pressure!r}")
        least = 0.0 if self.ensemble == "nve" else 1e-3
        if not least <= self.temperature < math.inf:
            raise ValueError(f"temperature must be at least {least} K, got {self.temperature!r}")


@dataclass(frozen=True)
class DynamicsStep:
    """State after a step.

    Attributes:
        number: 0 at the start.
        time: in fs.
        potential: potential energy in eV.
        kinetic: kinetic energy in eV.
        temperature: in kelvin.
        pressure: in GPa, with the contribution of the momenta; NaN without a volume.
        volume: in angstrom^3; NaN without one.
    """

    number: int
    time: float
    potential: float
    kinetic: float
    temperature: float
    pressure: float
    volume: float

    @property
    def total(self) -> float:
        """Total energy in eV."""
        return self.potential + self.kinetic


def dynamics(
    atoms: Atoms, options: DynamicsOptions, steps: int, *, first: int = 0
) -> Iterator[DynamicsStep]:
    """Move the atoms of a structure in place; yields at the start and after every step.

    Args:
        atoms: the structure with a calculator and momenta (`set_velocities`).
        options: how.
        steps: number of the last step.
        first: number of the first state, if an earlier run is continued.

    Raises:
        DynamicsStop: If energy, temperature or positions are not finite, or beyond their limits.
        ValueError: If the structure does not fit the ensemble, or the calculator refuses it.
    """
    _hold_center(atoms, options)
    mover, start = _mover(atoms, options, first), math.nan
    freedom = degrees_of_freedom(atoms, options)
    limit = options.max_temperature
    if limit is None and options.ensemble != "nve":
        limit = temperature_limit(options.temperature, freedom)
    states = mover.irun(steps - first)
    for number in range(first, steps + 1):
        try:
            next(states)
        except ValueError as error:  # of the calculator, which names the atom
            if number == first:
                raise
            raise DynamicsStop(f"step {number}: {error}") from error
        state = _state(atoms, number, options, freedom)
        start = state.total if number == first else start
        _check(atoms, state, options, limit, start)
        yield state


def set_velocities(atoms: Atoms, options: DynamicsOptions) -> None:
    """Draw velocities at the temperature, without the motions that the ensemble conserves.

    These are translations, and with constant energy rotations of molecules and wires.
    """
    random = np.random.default_rng(options.seed)
    widths = np.sqrt(atoms.get_masses() * units.kB * options.temperature)
    # ASE has a function for this draw, whose name depends on the version.
    atoms.set_momenta(widths[:, None] * random.standard_normal((len(atoms), 3)))
    if len(atoms) == 1 or atoms.constraints:
        return
    # ASE's function for this divides by the moment of inertia about the axis of a linear molecule.
    root, motions = np.sqrt(atoms.get_masses())[:, None], _conserved(atoms, options)
    weighted = (atoms.get_momenta() / root).ravel()
    weighted -= motions @ (motions.T @ weighted)
    atoms.set_momenta(weighted.reshape(-1, 3) * root)
    freedom = max(3 * len(atoms) - motions.shape[1], 1)
    found = 2 * atoms.get_kinetic_energy() / (units.kB * freedom)
    if found > 0:
        atoms.set_momenta(atoms.get_momenta() * math.sqrt(options.temperature / found))


def degrees_of_freedom(atoms: Atoms, options: DynamicsOptions) -> int:
    """Number of degrees of freedom that share the kinetic energy.

    Without translation, and at constant energy without rotation of molecules and wires, see
    `set_velocities`.
    """
    if atoms.constraints or len(atoms) == 1:
        return max(int(atoms.get_number_of_degrees_of_freedom()), 1)
    return max(3 * len(atoms) - _conserved(atoms, options).shape[1], 1)


def _conserved(atoms: Atoms, options: DynamicsOptions) -> np.ndarray:
    """Rigid motions that keep their momentum, as `rigid_motions` has them: translations first."""
    motions = rigid_motions(atoms)
    return motions if options.ensemble == "nve" else motions[:, :3]


def temperature_limit(temperature: float, freedom: int) -> float:
    r"""Temperature in kelvin that the canonical ensemble reaches practically never.

    Ten standard deviations :math:`T \sqrt{2 / f}` above the mean, and at least five times it.

    Args:
        temperature: of the thermostat.
        freedom: degrees of freedom.
    """
    return temperature * max(5.0, 1 + 10 * math.sqrt(2 / freedom))


def time_step_warning(atoms: Atoms, timestep: float) -> str | None:
    """What is wrong with a time step; None if nothing is known to be.

    Args:
        atoms: the structure.
        timestep: in fs.
    """
    if timestep <= _STEP_WITH_HYDROGEN or 1 not in atoms.numbers:
        return None
    return (
        f"timestep={timestep:g} fs is too long for vibrations of hydrogen, whose period is about "
        "9 fs: use at most 1 fs"
    )


def _hold_center(atoms: Atoms, options: DynamicsOptions) -> None:
    """Langevin's noise would move the centre of mass."""
    if options.ensemble == "nvt" and not atoms.constraints and len(atoms) > 1:
        atoms.set_constraint(FixCom())


def _mover(atoms: Atoms, options: DynamicsOptions, first: int) -> Any:
    step = options.timestep * units.fs
    if options.ensemble == "nve":
        return VelocityVerlet(atoms, step)
    if options.ensemble == "nvt":
        random = np.random.default_rng([options.seed, first])
        return Langevin(
            atoms, step, temperature_K=options.temperature, friction=options.friction / units.fs,
            fixcm=False, rng=random,
        )  # fmt: skip
    if not atoms.pbc.all() or atoms.constraints:
        raise ValueError(
            "ensemble=npt needs a structure that is periodic in three directions, without fixed "
            f"atoms, got pbc {atoms.pbc.tolist()} and {len(atoms.constraints)} constraints"
        )
    try:
        from ase.md.nose_hoover_chain import IsotropicMTKNPT
    except ImportError as error:
        raise ImportError(
            "ensemble=npt needs a newer version of ASE: pip install -U ase"
        ) from error
    mover = IsotropicMTKNPT(
        atoms, step, temperature_K=options.temperature, pressure_au=options.pressure * units.GPa,
        tdamp=_TDAMP * step, pdamp=_PDAMP * step,
    )  # fmt: skip
    if len(atoms) > 1:
        # ASE's thermostat counts 3 N degrees of freedom, but the centre of mass rests: the other
        # 3 N - 3 would share their energy, and be too hot by N / (N - 1).
        mover._num_atoms_global = mover._thermostat._num_atoms_global = len(atoms) - 1
    return mover


def _state(atoms: Atoms, number: int, options: DynamicsOptions, freedom: int) -> DynamicsStep:
    kinetic = float(atoms.get_kinetic_energy())
    return DynamicsStep(
        number, number * options.timestep, float(atoms.get_potential_energy()), kinetic,
        2 * kinetic / (units.kB * freedom),
        pressure_of(atoms, kinetic=True),
        float(atoms.get_volume()) if atoms.pbc.all() else math.nan,
    )  # fmt: skip


def _check(
    atoms: Atoms, state: DynamicsStep, options: DynamicsOptions, limit: float | None, start: float
) -> None:
    """Stop if the state is beyond the limits."""
    where = f"step {state.number} ({state.time:g} fs)"
    moved = np.concatenate([atoms.positions, atoms.get_momenta()], axis=1)
    if not np.isfinite(moved).all() or not math.isfinite(state.total):
        bad = np.flatnonzero(~np.isfinite(moved).all(axis=1))
        of = f" of {_named(atoms, int(bad[0]))}" if len(bad) else ""
        raise DynamicsStop(f"{where}: positions, momenta or energy{of} are not finite")
    speeds = np.linalg.norm(atoms.get_velocities(), axis=1) * units.fs
    fastest = int(speeds.argmax())
    which = f"the fastest is {_named(atoms, fastest)} with {speeds[fastest]:.3g} angstrom/fs"
    if limit is not None and state.temperature > limit:
        raise DynamicsStop(
            f"{where}: the temperature {state.temperature:.0f} K exceeds max_temperature="
            f"{limit:.0f}; {which}"
        )
    drift = abs(state.total - start) / len(atoms)
    if options.ensemble == "nve" and drift > options.max_drift:
        raise DynamicsStop(
            f"{where}: the total energy has changed by {drift:.3g} eV per atom, more than "
            f"max_drift={options.max_drift:g}; {which}"
        )


def _named(atoms: Atoms, number: int) -> str:
    return f"atom {number} ({atoms.symbols[number]})"
