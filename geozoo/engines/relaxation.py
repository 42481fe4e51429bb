"""Relaxation of structures by the optimizers of ASE, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS

OPTIMIZERS = {"lbfgs": LBFGS, "bfgs": BFGS, "fire": FIRE}


@dataclass(frozen=True)
class RelaxationOptions:
    """How a structure is relaxed.

    Attributes:
        optimizer: one of ``OPTIMIZERS``.
        cell: relax the cell as well, by ASE's ``FrechetCellFilter``.
        pressure: external pressure in GPa; needs ``cell``.
        fmax: largest force in eV/angstrom on any atom at the end; with ``cell`` also the largest
            row of the virial against the pressure per atom, in eV.
        steps: largest number of steps.

    Raises:
        ValueError: If the optimizer is unknown, ``fmax`` is not positive, a number is not finite,
            or a pressure is given without ``cell``.
    """

    optimizer: str = "lbfgs"
    cell: bool = False
    pressure: float = 0.0
    fmax: float = 0.01
    steps: int = 500

    def __post_init__(self) -> None:
        """Check the values."""
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if not 0 < self.fmax < math.inf:
            raise ValueError(f"fmax must be a positive force in eV/angstrom, got {self.fmax!r}")
        if not math.isfinite(self.pressure):
            raise ValueError(f"pressure must be a finite number in GPa, got {self.pressure!r}")
        if self.pressure and not self.cell:
            raise ValueError(f"pressure needs cell=true, got {self.pressure!r} and cell=false")


@dataclass(frozen=True)
class RelaxationStep:
    """State after a step.

    Attributes:
        number: 0 for the given structure.
        energy: in eV.
        fmax: largest force on an atom in eV/angstrom.
        pressure: in GPa; NaN for structures without a volume.
        is_relaxed: whether forces (and stress) are below the limit.
    """

    number: int
    energy: float
    fmax: float
    pressure: float
    is_relaxed: bool


def relaxation(atoms: Atoms, options: RelaxationOptions) -> Iterator[RelaxationStep]:
    """Relax a structure in place; yields after every step.

    Args:
        atoms: the structure with a calculator; its constraints are respected.
        options: how.

    Raises:
        ValueError: If ``cell`` is given for a structure that is not periodic in three directions,
            or the calculator refuses the structure, also after a step that went astray.
    """
    if options.cell and not atoms.pbc.all():
        raise ValueError(
            "cell=true needs a structure that is periodic in three directions, got pbc "
            f"{atoms.pbc.tolist()}"
        )
    moved = (
        FrechetCellFilter(atoms, scalar_pressure=options.pressure * units.GPa)
        if options.cell
        else atoms
    )
    optimizer = OPTIMIZERS[options.optimizer](moved, logfile=None)
    for number, is_relaxed in enumerate(optimizer.irun(fmax=options.fmax, steps=options.steps)):
        forces = atoms.get_forces()
        yield RelaxationStep(
            number, float(atoms.get_potential_energy()),
            float(np.linalg.norm(forces, axis=1).max()), pressure_of(atoms), bool(is_relaxed),
        )  # fmt: skip


def pressure_of(atoms: Atoms, *, kinetic: bool = False) -> float:
    """Pressure in GPa; NaN for structures without a volume.

    Args:
        atoms: the structure with a calculator.
        kinetic: include the contribution of the momenta.
    """
    if not atoms.pbc.all():
        return float("nan")
    stress = atoms.get_stress(include_ideal_gas=kinetic)
    return float(-stress[:3].mean() / units.GPa)
