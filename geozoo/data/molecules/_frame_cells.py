"""Cells of periodic structures, and distances between atoms through their boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

#: Smallest plausible distance between atoms in angstrom; less is an error of the file or its unit.
_CLOSEST = 0.1
#: Volume of the periodic vectors relative to the product of their lengths; less is degenerate.
_FLAT = 1e-6


class Cell(NamedTuple):
    """The cell of a periodic structure.

    Attributes:
        vectors: ``[3, 3]`` lattice vectors as rows, in angstrom; zero without a vector.
        pbc: ``[3]`` whether the structure is periodic along each of them.
    """

    vectors: np.ndarray
    pbc: np.ndarray

    @property
    def volume(self) -> float | None:
        """Volume in cubic angstrom; None unless periodic in three directions."""
        return abs(float(np.linalg.det(self.vectors))) if self.pbc.all() else None


def cell_of(atoms: Atoms, where: str, to_angstrom: float = 1.0) -> Cell | None:
    """The validated cell of an ASE structure; None for one that is not periodic.

    Args:
        atoms: the structure.
        where: what messages call it.
        to_angstrom: the unit of length of its cell, in angstrom.

    Raises:
        ValueError: If the cell is not finite, has no vector along a periodic direction, or its
            periodic vectors are linearly dependent.
    """
    pbc = np.array(atoms.pbc, dtype=bool)
    if not pbc.any():
        return None
    vectors = np.array(atoms.cell, dtype=np.float64).reshape(3, 3) * to_angstrom
    if not np.isfinite(vectors).all():
        raise ValueError(f"{where}: the cell contains NaN or infinite values")
    lengths = np.linalg.norm(vectors, axis=1)
    missing = np.flatnonzero(pbc & (lengths == 0))
    if len(missing):
        raise ValueError(
            f"{where} is periodic along direction {missing[0] + 1} (pbc {pbc.tolist()}), but its "
            "cell has no vector there: write all three vectors, or set pbc to F for this direction"
        )
    heights = _heights(vectors[pbc])
    if heights is None:
        kind = "volume" if pbc.all() else "area"
        raise ValueError(
            f"{where}: the periodic cell vectors {vectors[pbc].tolist()} angstrom are linearly "
            f"dependent: the cell has zero {kind}"
        )
    if heights.min() < _CLOSEST:
        raise ValueError(
            f"{where}: every atom is {heights.min():.2g} angstrom or less from its own image; "
            "check the cell and length_unit"
        )
    return Cell(vectors, pbc)


def _heights(periodic: np.ndarray) -> np.ndarray | None:
    """``[k]`` distance between opposite faces along each of ``k`` vectors; None if dependent."""
    relative = periodic / np.linalg.norm(periodic, axis=1, keepdims=True)
    if np.sqrt(max(np.linalg.det(relative @ relative.T), 0.0)) < _FLAT:
        return None
    return 1.0 / np.linalg.norm(np.linalg.pinv(periodic), axis=0)


def check_distances(pos: np.ndarray, where: str, cell: Cell | None = None) -> None:
    """Check that no two atoms coincide, also through the boundary of a periodic cell.

    Args:
        pos: ``[N, 3]`` in angstrom; may lie outside the cell.
        where: what messages call the structure.
        cell: its cell; None for an isolated molecule.

    Raises:
        ValueError: If two atoms, or their images, are closer than 0.1 angstrom.
    """
    from scipy.spatial import cKDTree

    owner, near = np.arange(len(pos)), pos
    if cell is not None:
        owner, near = _with_ghosts(pos, cell)
    pairs = cKDTree(near).query_pairs(_CLOSEST, output_type="ndarray")
    if len(pairs):
        first, second = pairs[0].tolist()
        distance = np.linalg.norm(near[first] - near[second])
        direct = np.linalg.norm(pos[owner[first]] - pos[owner[second]])
        through = "" if direct < _CLOSEST else " through the cell boundary"
        raise ValueError(
            f"{where}: atoms {owner[first]} and {owner[second]} are {distance:.2g} angstrom apart"
            f"{through}; check the file and length_unit"
        )


def _with_ghosts(pos: np.ndarray, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Atoms wrapped into the cell, and images of those next to a lower face; with their owners.

    Two atoms that are close through a face lie at its two sides: the image of the lower one, next
    to the upper face, is close to the other.
    """
    periodic = cell.vectors[cell.pbc]
    inverse = np.linalg.pinv(periodic)
    near = pos - np.floor(pos @ inverse) @ periodic
    owner = np.arange(len(pos))
    for vector, column in zip(periodic, inverse.T, strict=True):
        # The norm of a column of the inverse is 1 / height.
        at_face = near @ column < _CLOSEST * np.linalg.norm(column)
        near = np.concatenate([near, near[at_face] + vector])
        owner = np.concatenate([owner, owner[at_face]])
    return owner, near
