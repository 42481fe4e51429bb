"""Molecules with energies and forces; needs ASE."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import numpy as np
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


def write(path: Path, structures: list) -> Path:
    ase.io.write(path, structures, format="extxyz")
    return path
