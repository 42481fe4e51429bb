"""``geozoo vibrations``: normal modes of a structure."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from geozoo.cli._simulation import calculator_for, output_folder, read_frame
from geozoo.cli._simulation_arguments import Vibrations
from geozoo.data import structure_of
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms

    from geozoo.engines.vibrations import NormalModes


def vibrations(options: Vibrations, screen: Screen) -> None:
    """Print frequencies and zero-point energy, and write the modes.

    Raises:
        RunError: If the structure, the model or the folder is refused.
        ValueError: If the potential cannot be differentiated twice at this structure.
    """
    import ase.io
    from ase.io.jsonio import write_json

    from geozoo.engines.vibrations import normal_modes

    if "steps" in options.given and not options.relax:
        raise RunError(f"steps needs relax=true, got {options.steps} and relax=false")
    if not math.isfinite(options.fmax):
        raise RunError(f"fmax must be a finite force in eV/angstrom, got {options.fmax}")
    atoms = read_frame(options.input, options.frame)
    _check_constraints(atoms)
    calculator = calculator_for(options, [atoms], screen)
    atoms.calc = calculator
    folder = output_folder(options, "vibrations")
    if options.relax:
        _relax(atoms, options, screen)
    _warn_of_forces(atoms, options, screen)
    started = time.perf_counter()
    hessian = calculator.evaluator.hessian_of(
        structure_of(atoms, "the structure"), chunk=options.chunk
    )
    seconds = time.perf_counter() - started
    atoms.calc = None
    modes = normal_modes(atoms, hessian)
    _show(modes, screen)
    screen.note(f"Hessian of {len(atoms)} atoms in {seconds:.1f} s")
    ase.io.write(folder / "structure.xyz", atoms, format="extxyz")
    if len(modes.energies):
        ase.io.write(folder / "modes.xyz", modes.frames(), format="extxyz")
    write_json(folder / "vibrations.json", modes.data)
    for name in ("structure.xyz", "modes.xyz", "vibrations.json"):
        if (folder / name).is_file():
            screen.result(folder / name)


def _check_constraints(atoms: Atoms) -> None:
    from ase.constraints import FixAtoms

    other = [type(each).__name__ for each in atoms.constraints if not isinstance(each, FixAtoms)]
    if other or (atoms.constraints and len(atoms.constraints[0].index) == len(atoms)):
        raise RunError(
            "input: whole atoms may be fixed, but not all of them and not single directions, got "
            f"{', '.join(other) or 'all atoms fixed'}"
        )


def _relax(atoms: Atoms, options: Vibrations, screen: Screen) -> None:
    from geozoo.engines.relaxation import RelaxationOptions, relaxation

    settings = RelaxationOptions(fmax=options.fmax, steps=options.steps)
    *_, last = relaxation(atoms, settings)
    screen.note(f"relaxed in {last.number} steps to {last.energy:.6f} eV")


def _warn_of_forces(atoms: Atoms, options: Vibrations, screen: Screen) -> None:
    forces = np.linalg.norm(atoms.get_forces(), axis=1)
    worst = int(forces.argmax())
    if forces[worst] <= options.fmax:
        return
    advice = "raise steps" if options.relax else "set relax=true"
    screen.note(
        f"warning: the force on atom {worst} ({atoms.symbols[worst]}) is {forces[worst]:.3g} "
        f"eV/angstrom, above fmax={options.fmax:g}: this is no minimum of the energy, and its "
        f"frequencies are not those of one; {advice}",
        style="yellow",
    )


def _show(modes: NormalModes, screen: Screen) -> None:
    table = Sheet("mode", "cm^-1", "meV", "")
    for number, energy in enumerate(modes.energies):
        is_real = energy >= 0
        table.add(
            str(number), f"{abs(modes.frequencies[number]):.2f}{'' if is_real else 'i'}",
            f"{1000 * abs(energy):.3f}{'' if is_real else 'i'}",
            "" if is_real else "imaginary",
        )  # fmt: skip
    screen.show(table)
    screen.result(f"zero-point energy: {modes.zero_point_energy:.6f} eV")
    screen.note(f"{int(modes.rigid.sum())} translations and rotations are projected out")
    imaginary = np.flatnonzero(modes.energies < 0)
    if len(imaginary):
        named = ", ".join(map(str, imaginary))
        screen.note(
            f"warning: {len(imaginary)} imaginary frequencies (modes {named}): the energy falls "
            "along them, so the structure is no minimum; they do not count in the zero-point "
            "energy",
            style="yellow",
        )
