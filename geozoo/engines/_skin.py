"""Neighbour lists that are kept over several steps of a simulation."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data.neighbor_table import NeighborTable
from geozoo.geometry import NeighborPairs, edge_vectors, neighbor_pairs


class SkinNeighbors:
    r"""Neighbours of structures within a cutoff, found anew only when atoms have moved far.

    Pairs are searched within the cutoff :math:`r` plus a skin :math:`s`. Under a deformation
    :math:`F` of the cell and displacements of at most :math:`u` beyond it, two atoms that were
    farther apart than :math:`r + s` are at least :math:`\sigma_{\min}(F) (r + s) - 2 u` apart, with
    the smallest singular value of :math:`F`. As long as this is not below the cutoff, no other
    pair can be a neighbour. Without a deformation this allows displacements of half the skin.

    Args:
        radius: cutoff in angstrom.
        skin: in angstrom; 0 searches in every step.

    Attributes:
        searches: number of searches so far.
    """

    def __init__(self, radius: float, skin: float) -> None:
        self.radius, self.skin = radius, skin
        self.searches = 0
        self._sizes: Tensor | None = None
        self._pos = torch.zeros(0, 3)
        self._cell: Tensor | None = None
        self._pbc: Tensor | None = None
        self._pairs = NeighborPairs(torch.zeros(2, 0, dtype=torch.int64), None)

    def table(
        self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None, sizes: Tensor | None = None
    ) -> NeighborTable:
        """The pairs within the cutoff.

        Args:
            pos: positions ``[N, 3]`` as given, float64, not wrapped between calls.
            cell: ``[S, 3, 3]`` lattice vectors in rows, or None.
            pbc: ``[S, 3]`` periodic directions, or None.
            sizes: ``[S]`` number of atoms of each structure; None: a single structure.
        """
        sizes = torch.tensor([len(pos)]) if sizes is None else sizes
        batch = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
        if not self._holds(pos, cell, pbc, sizes, batch):
            reach = self.radius + self.skin
            self._pairs = neighbor_pairs(pos, reach, batch, len(sizes), cell=cell, pbc=pbc)
            self._pos, self._cell, self._pbc, self._sizes = pos.clone(), cell, pbc, sizes
            self.searches += 1
        index, image = self._pairs
        shift = self._pairs.shifts(cell, batch)
        near = edge_vectors(pos, index[0], index[1], shift).square().sum(-1) < self.radius**2
        index, image = index[:, near], None if image is None else image[near]
        return NeighborTable.of_pairs(self.radius, NeighborPairs(index, image), sizes)

    def _holds(
        self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None, sizes: Tensor, batch: Tensor
    ) -> bool:
        if self._sizes is None or not torch.equal(self._sizes, sizes):
            return False
        if not _equal(self._pbc, pbc):
            return False
        moved, stretch = pos - self._pos, pos.new_ones(len(sizes))
        if not _equal(self._cell, cell):
            assert self._cell is not None and cell is not None and pbc is not None
            if not bool(pbc.all()):  # the other vectors say nothing about the positions
                return False
            deformation = torch.linalg.solve(self._cell, cell)
            moved = pos - (self._pos.unsqueeze(1) @ deformation[batch]).squeeze(1)
            stretch = torch.linalg.svdvals(deformation)[:, -1]
        farthest = pos.new_zeros(len(sizes)).scatter_reduce(
            0, batch, moved.square().sum(-1).sqrt(), "amax"
        )
        bound = stretch * (self.radius + self.skin) - 2 * farthest
        return bool((bound > self.radius).all())


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)
