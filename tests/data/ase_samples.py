"""Molecules with energies and forces; needs ASE."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

WATER = ("OHH", [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
AMMONIA = ("NHHH", [[0.0, 0, 0.1], [0.94, 0, -0.3], [-0.47, 0.81, -0.3], [-0.47, -0.81, -0.3]])


def structure(kind: tuple = WATER, *, seed: int = 0, noise: float = 0.05, **changes: object):
    """A slightly distorted molecule with energy (eV) and forces (eV/angstrom)."""
    rng = np.random.default_rng(seed)
    symbols, positions = kind
    positions = np.array(positions) + noise * rng.normal(size=(len(symbols), 3))
    atoms = ase.Atoms(symbols, positions=positions)
    results = {"energy": -14.0 + rng.normal(), "forces": rng.normal(size=(len(symbols), 3))}
    results.update(changes)
    known = {name: value for name, value in results.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **known)
    return atoms


def waters(number: int = 10) -> list:
    return [structure(seed=seed) for seed in range(number)]


def silicon(seed: int = 0, *, repeat: int = 1, pbc: object = True, **changes: object):
    """Distorted silicon with energy, forces and stress (eV, angstrom)."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", "diamond", a=5.4).repeat(repeat)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.normal(size=(len(atoms), 3))
    atoms.pbc = pbc
    stress = rng.normal(size=(3, 3))
    results = {
        "energy": -5.4 * len(atoms) + rng.normal(), "forces": rng.normal(size=(len(atoms), 3)),
        "stress": 0.01 * (stress + stress.T).ravel()[[0, 4, 8, 5, 2, 1]],
    }  # fmt: skip
    results.update(changes)
    known = {name: value for name, value in results.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **known)
    return atoms


def write(path: Path, structures: list) -> Path:
    ase.io.write(path, structures, format="extxyz")
    return path
