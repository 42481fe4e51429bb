"""Near duplicates, and structures whose atoms are too close."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

#: Distances per atom that a fingerprint holds, up to this length in angstrom.
_NEIGHBORS, _REACH = 16, 6.0


@dataclass
class Screened:
    """The structures that are kept.

    Attributes:
        kept: indices of these, ascending.
        duplicates: number of structures left out because they nearly equal an earlier one.
        close: number of structures left out because two atoms are too close.
    """

    kept: list[int] = field(default_factory=list)
    duplicates: int = 0
    close: int = 0


def screened(
    frames: Sequence[Atoms], *, duplicate: float, closest: float, before: Sequence[Atoms] = ()
) -> Screened:
    """Leave out structures that nearly equal an earlier one, or whose atoms are too close.

    Structures are compared by the distances of each atom to its neighbours, so that translations,
    rotations and the choice of the cell do not count. Atoms are compared in their order.

    Args:
        frames: the structures.
        duplicate: root mean square difference of these distances, in angstrom, below which two
            structures are nearly equal; 0: only exact repetitions are.
        closest: fraction of the sum of covalent radii below which two atoms are too close.
        before: structures that the others are compared with as well.
    """
    result = Screened()
    known: dict[bytes, list[np.ndarray]] = defaultdict(list)
    for atoms in before:
        known[_elements(atoms)].append(_fingerprint(atoms))
    for number, atoms in enumerate(frames):
        if is_too_close(atoms, closest):
            result.close += 1
            continue
        same, mine = known[_elements(atoms)], _fingerprint(atoms)
        if same:
            apart = np.sqrt(np.square(np.stack(same) - mine).mean(axis=(1, 2)).min())
            if apart <= duplicate:
                result.duplicates += 1
                continue
        same.append(mine)
        result.kept.append(number)
    return result


def is_too_close(atoms: Atoms, closest: float) -> bool:
    """Whether two atoms are closer than a fraction of the sum of their covalent radii.

    Args:
        atoms: the structure; images through periodic boundaries count.
        closest: the fraction; 0: never.
    """
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    if closest == 0:
        return False
    radii = covalent_radii[atoms.numbers]
    return len(neighbor_list("i", atoms, closest * radii)) > 0


def _elements(atoms: Atoms) -> bytes:
    return np.asarray(atoms.numbers, dtype=np.int64).tobytes()


def _fingerprint(atoms: Atoms) -> np.ndarray:
    """``[N, K]`` ascending distances of each atom to its neighbours, in angstrom.

    Neighbours beyond `_REACH` count as this distance, so that it changes continuously.
    """
    from ase.neighborlist import neighbor_list

    found = np.full((len(atoms), _NEIGHBORS), _REACH, dtype=np.float32)
    index, distance = neighbor_list("id", atoms, _REACH)
    order = np.lexsort((distance, index))
    index, distance = index[order], distance[order]
    rank = np.arange(len(index)) - np.searchsorted(index, index)
    near = rank < _NEIGHBORS
    found[index[near], rank[near]] = distance[near]
    return found
