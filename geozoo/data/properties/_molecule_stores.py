"""Stores of molecules."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from geozoo.data.molecules._ase_frames import Structure
from geozoo.data.molecules._state_inputs import StatedGraph, input_values
from geozoo.data.store import GraphStore

#: Usual distances in angstrom between a hydrogen and the nearest atom.
_SHORTEST, _LONGEST = 0.6, 1.7
#: Number of molecules in which distances are inspected.
_INSPECTED = 200


def store_of_structures(structures: Sequence[Structure]) -> GraphStore:
    """Positions relative to their mean, atomic numbers, and cells if a structure is periodic."""
    sizes = torch.tensor([len(each.numbers) for each in structures])
    pos = torch.from_numpy(np.concatenate([each.pos - each.pos.mean(0) for each in structures]))
    numbers = torch.from_numpy(np.concatenate([each.numbers for each in structures]))
    return GraphStore(
        sizes, node={"pos": pos.to(torch.float32), "z": numbers.to(torch.int64)},
        graph=cells_of(structures),
    )  # fmt: skip


def cells_of(structures: Sequence[Structure]) -> dict[str, Tensor]:
    """Fields ``cell`` and ``pbc``, zero for isolated structures; empty if all are isolated."""
    if all(structure.pbc is None for structure in structures):
        return {}
    cells = [np.zeros((3, 3)) if each.cell is None else each.cell for each in structures]
    pbc = [np.zeros(3, dtype=bool) if each.pbc is None else each.pbc for each in structures]
    return {
        "cell": torch.from_numpy(np.stack(cells).astype(np.float64)),
        "pbc": torch.from_numpy(np.stack(pbc)),
    }


def state_inputs(
    structures: Sequence[Structure], names: Sequence[str], labels: Sequence[str]
) -> dict[str, Tensor]:
    """Fields ``charge`` and ``spin`` ``[S]`` if they are inputs.

    Args:
        structures: the structures.
        names: the inputs.
        labels: what messages call the structures.

    Raises:
        ValueError: If a structure lacks a value.
    """
    if not names:
        return {}
    rows = [
        input_values(names, StatedGraph(each.state, each.numbers, each.pbc is None), label)
        for each, label in zip(structures, labels, strict=True)
    ]
    return {name: torch.tensor([row[name] for row in rows]) for name in names}


def check_length_unit(structures: Sequence[Structure], unit: str) -> None:
    """Warn if hydrogens are at unusual distances from other atoms: a wrong unit of length.

    Args:
        structures: the molecules, in angstrom.
        unit: unit that was assumed for the file.
    """
    nearest = []
    for each in structures[:_INSPECTED]:
        is_hydrogen = each.numbers == 1
        if is_hydrogen.any() and len(each.numbers) > 1 and each.pbc is None:
            apart = np.linalg.norm(each.pos[is_hydrogen, None] - each.pos[None], axis=-1)
            nearest += np.sort(apart, axis=1)[:, 1].tolist()
    if not nearest or _SHORTEST < (typical := float(np.median(nearest))) < _LONGEST:
        return
    other = "bohr" if unit == "angstrom" else "angstrom"
    warnings.warn(
        f"hydrogens are typically {typical:.2f} angstrom from the nearest atom, commonly 0.7 to "
        f"1.6: are the positions in {other}? Set dataset.reading.length_unit", stacklevel=3,
    )  # fmt: skip
