"""Unwrapping molecules across periodic boundaries."""

from __future__ import annotations

from collections import deque

import numpy as np

#: Largest bond length relative to the sum of the covalent radii.
_STRETCH = 1.2


def unwrapped(
    numbers: np.ndarray, pos: np.ndarray, cell: np.ndarray, pbc: np.ndarray, where: str
) -> np.ndarray:
    """Positions in which every molecule is in one piece.

    Atoms bonded across a periodic boundary are translated by lattice vectors next to their bonding
    partner; bonds are pairs within 1.2 times the sum of their covalent radii. Each molecule stays
    where its first atom is.

    Args:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in angstrom.
        cell: ``[3, 3]`` lattice vectors as rows, in angstrom.
        pbc: ``[3]`` whether the structure is periodic along each of them.
        where: what messages call the structure.

    Returns:
        ``[N, 3]`` positions.

    Raises:
        ValueError: If the bonds form an infinite network, as in a crystal.
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
                        f"{where}: the bonds form an infinite network across the cell (atoms "
                        f"{atom} and {other}), as in a crystal, not isolated molecules"
                    )
    return pos + shift @ np.asarray(cell)
