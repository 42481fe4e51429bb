"""Molecules whose energies depend on their charge and multiplicity, and runs trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from energy_samples import frame

#: Neutral, these have even numbers of electrons.
KINDS = ("COHH", "CCHHHHO", "OHH", "CHHHH")
#: Charges and multiplicities.
STATES = ((0, 1), (1, 2), (-1, 2), (0, 3))


def charged(kind: str, charge: int, spin: int, rng: np.random.Generator) -> Atoms:
    """A molecule whose energy in eV rises by 5 per charge and 2 per unpaired electron."""
    atoms = frame(kind, rng)
    atoms.calc.results["energy"] += 5.0 * charge + 2.0 * (spin - 1)
    atoms.info.update(charge=charge, spin=spin)
    return atoms


def written(path: Path, count: int = 48, seed: int = 0, states=STATES) -> Path:
    """A file in which every molecule occurs in every state."""
    rng = np.random.default_rng(seed)
    kinds = [(kind, *state) for kind in KINDS for state in states]
    frames = [charged(*kinds[i % len(kinds)], rng) for i in range(count)]
    write(path, [frames[i] for i in rng.permutation(count)], format="extxyz")
    return path
