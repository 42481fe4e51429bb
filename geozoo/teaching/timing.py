"""Time of a step of molecular dynamics with a student and with its teacher."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geozoo.data import structure_of
from geozoo.engines import PotentialEvaluator

if TYPE_CHECKING:
    from ase import Atoms

_WARM_UP, _FEWEST, _MOST = 3, 5, 30
#: Wall time in seconds after which no further step is timed.
_SECONDS = 20.0
#: Displacement per step in angstrom, as in molecular dynamics.
_MOVE = 0.02


@dataclass(frozen=True)
class StepTime:
    """Median times of an evaluation of energy, forces and stress.

    Attributes:
        name: name of the potential.
        cpu: CPU time of all threads, in seconds.
        wall: elapsed time, in seconds.
        atoms: number of atoms of the structure.
        steps: number of evaluations.
    """

    name: str
    cpu: float
    wall: float
    atoms: int
    steps: int


def step_times(
    potentials: Mapping[str, PotentialEvaluator], atoms: Atoms, seed: int = 0
) -> list[StepTime]:
    """Time the potentials in turn on the same sequence of positions.

    Args:
        potentials: the potentials by name; they keep their neighbours from step to step.
        atoms: the initial structure.
        seed: seed of the displacements.
    """
    generator, atoms = np.random.default_rng(seed), atoms.copy()
    cpu: list[list[float]] = [[] for _ in potentials]
    wall: list[list[float]] = [[] for _ in potentials]
    began = time.perf_counter()
    for step in range(_WARM_UP + _MOST):
        if step >= _WARM_UP + _FEWEST and time.perf_counter() - began > _SECONDS:
            break
        moved = atoms.copy()
        moved.positions += _MOVE * generator.standard_normal(atoms.positions.shape)
        structure = structure_of(moved, "the structure")
        for number, potential in enumerate(potentials.values()):
            before = time.process_time(), time.perf_counter()
            potential.evaluate_many([structure])
            if step >= _WARM_UP:
                cpu[number].append(time.process_time() - before[0])
                wall[number].append(time.perf_counter() - before[1])
    return [
        StepTime(name, float(np.median(c)), float(np.median(w)), len(atoms), len(c))
        for name, c, w in zip(potentials, cpu, wall, strict=True)
    ]
