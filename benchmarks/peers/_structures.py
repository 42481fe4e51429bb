"""Structures that both sides of a pair work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import iread

#: Aspirin and twenty molecules of nine heavy atoms, from SMILES by RDKit (ETKDG, MMFF).
MOLECULES = Path(__file__).with_name("molecules.extxyz")


def _silicon() -> list[Atoms]:
    return _displaced([bulk("Si", cubic=True) * 2])


def _ethanol() -> list[Atoms]:
    return _displaced([molecule("CH3CH2OH")])


def _copper() -> list[Atoms]:
    return _displaced([bulk("Cu", cubic=True) * 5])


def _aspirin() -> list[Atoms]:
    return _displaced([next(iread(MOLECULES))] * 5)


def _qm9() -> list[Atoms]:
    return _displaced(list(iread(MOLECULES, "1:")))


def _displaced(frames: list[Atoms]) -> list[Atoms]:
    """Copies with displaced atoms, without whatever else a file may hold."""
    generator = np.random.default_rng(0)
    found = []
    for one in frames:
        atoms = Atoms(one.numbers, one.positions, cell=one.cell, pbc=one.pbc)
        atoms.positions += generator.normal(0, 0.05, atoms.positions.shape)
        found.append(atoms)
    return found


#: Structures by name, each a batch.
SYSTEMS: dict[str, Callable[[], list[Atoms]]] = {
    "64 Si": _silicon, "ethanol": _ethanol, "500 Cu": _copper, "5 aspirin": _aspirin,
    "20 molecules": _qm9,
}  # fmt: skip


def small(frames: list[Atoms]) -> list[Atoms]:
    """A batch of the same elements and directions of periodicity, hardly any memory to work on."""
    first = frames[0]
    if first.pbc.any():
        cell = bulk(first.get_chemical_symbols()[0])
        cell.rattle(0.05, seed=0)
        return [cell]
    return [Atoms(first.numbers[:4], first.positions[:4])]
