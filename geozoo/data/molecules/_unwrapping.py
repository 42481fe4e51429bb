"""Molecules that a periodic cell has cut in two, put together again."""

from __future__ import annotations

from collections import deque

import numpy as np

#: Bonds are up to this much longer than the sum of the covalent radii.
_STRETCH = 1.2


def unwrapped(
    numbers: np.ndarray, pos: np.ndarray, cell: np.ndarray, pbc: np.ndarray, where: str
) -> np.ndarray:
    """Positions in which every molecule is in one piece.

    Atoms that are bonded through the boundary of the cell are moved by vectors of the cell beside
    their partner; bonds are pairs within 1.2 times the sum of their covalent radii. Separate
    molecules stay where their first atom is.

    Args:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in angstrom.
        cell: ``[3, 3]`` vectors of the cell as rows, in angstrom.
        pbc: ``[3]`` along which of them the structure repeats.
        where: what to call the structure.

    Returns:
        ``[N, 3]`` positions.

    Raises:
        ValueError: for bonds that go on through the cell without end, as in a crystal.
    """
    from ase import Atoms
    from ase.neighborlist import natural_cutoffs, neighbor_list

    atoms = Atoms(numbers, pos, cell=cell, pbc=pbc)
    radii = natural_cutoffs(atoms, mult=_STRETCH)
    first, second, image = neighbor_list("ijS", atoms, radii)
    starts = np.searchsorted(first, np.arange(len(pos) + 1))
    shift = np.zeros((len(pos), 3), dtype=np.int64)
    seen = np.zeros(len(pos), dtype=bool)
    for root in range(len(pos)):
        waiting = deque([root] if not seen[root] else [])
        seen[root] = True
        while waiting:
            atom = waiting.popleft()
            for edge in range(starts[atom], starts[atom + 1]):
                other, wanted = second[edge], shift[atom] + image[edge]
                if not seen[other]:
                    seen[other], shift[other] = True, wanted
                    waiting.append(other)
                elif (shift[other] != wanted).any():
                    raise ValueError(
                        f"{where}: bonds go on through the cell without end (atoms {atom} and "
                        f"{other}), as in a crystal: it cannot be taken for isolated molecules"
                    )
    return pos + shift @ np.asarray(cell)
