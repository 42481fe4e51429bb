"""Molecules from arrays in an npz file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geozoo.data.molecules._ase_frames import Structure
from geozoo.data.molecules._electronic_states import is_state_name, states_of_arrays
from geozoo.data.molecules._frame_cells import check_distances
from geozoo.data.molecules.units import length_factor
from geozoo.data.properties._molecule_files import MoleculeFile, ReadingOptions, check_columns
from geozoo.files.contents import report_contents
from geozoo.files.numpy_arrays import npz_names, read_npz

#: Names of the arrays, in the order in which they are looked for.
POSITIONS = ("R", "pos", "positions", "coordinates", "coords", "xyz")
NUMBERS = ("Z", "z", "atomic_numbers", "numbers", "nuclear_charges", "charges")
SIZES = ("num_nodes", "n_atoms", "num_atoms", "natoms", "N")
#: Largest atomic number.
_HEAVIEST = 118


def read_molecule_arrays(
    path: Path, wanted: Sequence[str], options: ReadingOptions
) -> MoleculeFile:
    """Molecules of an npz file; nothing is unpickled.

    Args:
        path: the file: positions ``[S, A, 3]`` with atomic numbers ``[S, A]`` (0 for padding) or
            ``[A]`` (the same for all), or positions ``[N, 3]`` of all atoms, one molecule after the
            other, with atomic numbers ``[N]`` and numbers of atoms ``[S]``. Properties have one
            row per molecule, ``[S]``, ``[1, S]`` or ``[S, 3]``, or per atom, ``[S, A]`` or ``[N]``.
        wanted: arrays to read besides positions and atomic numbers.
        options: unit of the positions.

    Raises:
        ValueError: If an array is missing or has another shape, or a molecule is invalid.
    """
    there = npz_names(path)
    free = [name for name in there if name not in wanted]
    pos_name, z_name = (_one_of(names, free, path) for names in (POSITIONS, NUMBERS))
    check_columns(wanted, there, path.name)
    size_name = next((name for name in SIZES if name in free), None)
    states = [name for name in free if is_state_name(name)]
    names = [pos_name, z_name, *([size_name] if size_name else []), *wanted]
    arrays = read_npz(path, names, is_reported=False)
    report_contents(path.name, names, set(there) - set(names))
    pos, numbers = arrays[pos_name].astype(np.float64), _whole(arrays[z_name], z_name, path)
    sizes = None if size_name is None else _whole(arrays[size_name], size_name, path).ravel()
    split = _padded if pos.ndim == 3 else _flat
    molecules, masks = split(pos * length_factor(options.length_unit), numbers, sizes, path)
    labels = [f"{path.name}, molecule {row}" for row in range(len(molecules))]
    for (z, where), label in zip(molecules, labels, strict=True):
        _check(z, where, label)
    kept = states_of_arrays(read_npz(path, states, is_reported=False), len(molecules))
    structures = [
        Structure(z, where, state=state) for (z, where), state in zip(molecules, kept, strict=True)
    ]
    columns = {name: _rows(arrays[name], name, masks, path) for name in wanted}
    return MoleculeFile(structures, columns, labels)


def has_molecules(path: Path) -> bool:
    """Whether an npz file holds positions and atomic numbers by the names that are known."""
    there = npz_names(path)
    return any(name in there for name in POSITIONS) and any(name in there for name in NUMBERS)


def _one_of(names: Sequence[str], there: Sequence[str], path: Path) -> str:
    found = [name for name in names if name in there]
    if not found:
        raise ValueError(
            f"path: {path.name} needs an array with one of the names {', '.join(names)}; it has "
            f"{', '.join(there) or 'none'} (besides the targets)"
        )
    return found[0]


def _whole(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    if array.dtype.kind not in "fiu" or not (array == np.round(array)).all():
        raise ValueError(f"path: {path.name}: {name} must hold whole numbers, got {array.dtype}")
    return array.astype(np.int64)


Molecules = list[tuple[np.ndarray, np.ndarray]]


def _padded(
    pos: np.ndarray, numbers: np.ndarray, sizes: np.ndarray | None, path: Path
) -> tuple[Molecules, np.ndarray]:
    """The molecules, and which entries ``[S, A]`` are atoms."""
    if numbers.ndim == 1:
        numbers = np.broadcast_to(numbers, (len(pos), len(numbers)))
    if pos.shape[2] != 3 or numbers.shape != pos.shape[:2]:
        raise ValueError(
            f"path: {path.name}: positions must have shape [S, A, 3] and atomic numbers [S, A] or "
            f"[A], got {list(pos.shape)} and {list(numbers.shape)}"
        )
    mask = numbers > 0
    if sizes is not None and (sizes.shape != (len(pos),) or (mask.sum(1) != sizes).any()):
        raise ValueError(
            f"path: {path.name}: the numbers of atoms differ from those of the atomic numbers "
            "that are not 0"
        )
    return [(z[m], p[m]) for z, p, m in zip(numbers, pos, mask, strict=True)], mask


def _flat(
    pos: np.ndarray, numbers: np.ndarray, sizes: np.ndarray | None, path: Path
) -> tuple[Molecules, np.ndarray]:
    """The molecules, and their numbers of atoms ``[S]``."""
    if sizes is None:
        raise ValueError(
            f"path: {path.name}: positions of shape {list(pos.shape)} need the number of atoms of "
            f"each molecule, [S], under one of the names {', '.join(SIZES)}"
        )
    total = int(sizes.sum())
    if pos.shape != (total, 3) or numbers.shape != (total,) or (sizes < 1).any():
        raise ValueError(
            f"path: {path.name}: positions must have shape [{total}, 3] and atomic numbers "
            f"[{total}] (the sum of the numbers of atoms, which are at least 1), got "
            f"{list(pos.shape)} and {list(numbers.shape)}"
        )
    ends = np.cumsum(sizes)[:-1]
    parts = zip(np.split(numbers, ends), np.split(pos, ends), strict=True)
    return list(parts), sizes


def _check(numbers: np.ndarray, pos: np.ndarray, where: str) -> None:
    if not len(numbers):
        raise ValueError(f"path: {where} has no atoms")
    if (numbers < 1).any() or (numbers > _HEAVIEST).any():
        raise ValueError(f"path: {where} has an atomic number outside 1..{_HEAVIEST}")
    if not np.isfinite(pos).all():
        raise ValueError(f"path: {where}: positions contain NaN or infinite values")
    check_distances(pos, where)


def _rows(array: np.ndarray, name: str, masks: np.ndarray, path: Path) -> list[Any]:
    """One entry per molecule: a value, or those of its atoms."""
    count = len(masks)
    if array.ndim == 2 and 1 in array.shape and array.size == count:  # QM7 has [1, S]
        array = array.reshape(-1)
    if masks.ndim == 2 and array.shape == masks.shape and array.shape != (count, 3):
        return [row[mask] for row, mask in zip(array, masks, strict=True)]
    if array.shape[:1] == (count,) and array.ndim <= 2:
        return list(array)
    if masks.ndim == 1 and array.ndim == 1 and len(array) == masks.sum():
        return np.split(array, np.cumsum(masks)[:-1])
    raise ValueError(
        f"path: {path.name}: {name} must have one row per molecule ({count}) or per atom, got "
        f"shape {list(array.shape)}"
    )
