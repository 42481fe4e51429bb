"""Arrays of one structure, as callers give them, checked by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geozoo.data import Structure, structure_of


def given_structure(
    pos: ArrayLike, numbers: ArrayLike, cell: ArrayLike | None, pbc: ArrayLike | None, *,
    charge: float | None, spin: float | None,
) -> Structure:  # fmt: skip
    """A validated structure, see `geozoo.engines.PotentialEvaluator.evaluate`.

    Raises:
        ValueError: If an array has another shape or kind, or `geozoo.data.structure_of` refuses it.
    """
    from ase import Atoms

    if cell is None and pbc is not None and np.any(np.asarray(pbc)):
        raise ValueError(f"cell must be given with periodic directions, got None and pbc {pbc}")
    elements = np.asarray(numbers)
    if elements.dtype.kind in "fiu" and bool((elements != np.round(elements)).any()):
        raise ValueError(f"numbers must be whole atomic numbers, got {_shown(numbers)}")
    if elements.dtype.kind not in "fiu" and elements.size:
        raise ValueError(f"numbers must be atomic numbers, got {_shown(numbers)}")
    if elements.ndim != 1:
        raise ValueError(f"numbers must have the shape [N], got {elements.shape}")
    positions = np.asarray(pos, dtype=np.float64)
    if positions.shape != (len(elements), 3):
        raise ValueError(
            f"pos must have the shape {(len(elements), 3)} of {len(elements)} numbers, got "
            f"{positions.shape}"
        )
    periodic = np.asarray(cell is not None if pbc is None else pbc)
    if periodic.shape not in ((), (3,)) or periodic.dtype.kind not in "biu":
        raise ValueError(f"pbc must be one truth value or three, got {pbc!r}")
    atoms = Atoms(elements.astype(np.int64), positions, cell=cell, pbc=periodic)
    for name, value in (("charge", charge), ("spin", spin)):
        if value is not None:
            atoms.info[name] = value
    return structure_of(atoms, "the structure")


def _shown(value: Any) -> str:
    return np.array2string(np.asarray(value), threshold=10, separator=", ")
