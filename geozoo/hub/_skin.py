"""Neighbour lists that are kept over several steps of a simulation."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data.neighbor_table import NeighborTable
from geozoo.geometry import NeighborPairs, edge_vectors, neighbor_pairs


class SkinNeighbors:
    """Neighbours of one structure within a cutoff, found anew only when atoms have moved far.

    Pairs are searched within the cutoff plus a skin. As long as no atom has moved by more than half
    of the skin, and cell and periodic directions are the same, no other pair can have come closer
    than the cutoff.

    Args:
        radius: cutoff in angstrom.
        skin: in angstrom; 0 searches in every step.

    Attributes:
        searches: number of searches so far.
    """

    def __init__(self, radius: float, skin: float) -> None:
        self.radius, self.skin = radius, skin
        self.searches = 0
        self._pos: Tensor | None = None
        self._cell: Tensor | None = None
        self._pbc: Tensor | None = None
        self._pairs = NeighborPairs(torch.zeros(2, 0, dtype=torch.int64), None)

    def table(self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None) -> NeighborTable:
        """The pairs within the cutoff.

        Args:
            pos: positions ``[N, 3]`` as given, not wrapped between calls.
            cell: ``[1, 3, 3]`` lattice vectors in rows, or None.
            pbc: ``[1, 3]`` periodic directions, or None.
        """
        batch = torch.zeros(len(pos), dtype=torch.int64)
        if not self._holds(pos, cell, pbc):
            reach = self.radius + self.skin
            self._pairs = neighbor_pairs(pos, reach, batch, 1, cell=cell, pbc=pbc)
            self._pos, self._cell, self._pbc = pos.clone(), cell, pbc
            self.searches += 1
        index, image = self._pairs
        shift = self._pairs.shifts(cell, batch)
        near = edge_vectors(pos, index[0], index[1], shift).square().sum(-1) < self.radius**2
        index, image = index[:, near], None if image is None else image[near]
        return NeighborTable.of_graph(self.radius, NeighborPairs(index, image))

    def _holds(self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None) -> bool:
        if self._pos is None or self._pos.shape != pos.shape:
            return False
        if not (_equal(self._cell, cell) and _equal(self._pbc, pbc)):
            return False
        return float((pos - self._pos).square().sum(-1).max()) < (self.skin / 2) ** 2


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)
