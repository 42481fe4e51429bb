"""Neighbour lists that are kept over several steps of a simulation."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data.neighbor_table import NeighborTable
from geozoo.engines._quantities import place_of
from geozoo.geometry import NeighborPairs, edge_vectors, neighbor_pairs

#: Smallest plausible distance between atoms in angstrom.
_CLOSEST = 0.1


class SkinNeighbors:
    r"""Neighbours of structures within a cutoff, found anew only when atoms have moved far.

    Pairs are searched within the cutoff :math:`r` plus a skin :math:`s`. Under a deformation
    :math:`F` of the cell and displacements of at most :math:`u` beyond it, two atoms that were
    farther apart than :math:`r + s` are at least :math:`\sigma_{\min}(F) (r + s) - 2 u` apart, with
    the smallest singular value of :math:`F`. As long as this is not below the cutoff, no other
    pair can be a neighbour. Without a deformation this allows displacements of half the skin.

    An atom that was moved by lattice vectors, as programs do that wrap atoms into the cell, has the
    same neighbours in other images; this is noticed in structures that are periodic in all
    directions.

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
        self._pos: Tensor | None = None
        self._cell: Tensor | None = None
        self._pbc: Tensor | None = None
        self._turns: Tensor | None = None
        self._pairs = NeighborPairs(torch.zeros(2, 0, dtype=torch.int64), None)

    def table(
        self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None, sizes: Tensor | None = None
    ) -> NeighborTable:
        """The pairs within the cutoff.

        Args:
            pos: positions ``[N, 3]`` as given, float64; programs may wrap atoms into the cell
                between calls.
            cell: ``[S, 3, 3]`` lattice vectors in rows, or None.
            pbc: ``[S, 3]`` periodic directions, or None.
            sizes: ``[S]`` number of atoms of each structure; None: a single structure.

        Raises:
            ValueError: If two atoms are closer than 0.1 angstrom, or see
                `geozoo.geometry.neighbor_pairs`.
        """
        sizes = torch.tensor([len(pos)]) if sizes is None else sizes
        batch = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
        if not self._holds(pos, cell, pbc, sizes, batch):
            reach = self.radius + self.skin
            self._pairs = neighbor_pairs(pos, reach, batch, len(sizes), cell=cell, pbc=pbc)
            # Programs may change their arrays in place.
            copies = (None if each is None else each.clone() for each in (pos, cell, pbc, sizes))
            self._pos, self._cell, self._pbc, self._sizes = copies
            self._turns = None
            self.searches += 1
        index, image = self._pairs
        if self._turns is not None and image is not None:
            image = image + self._turns[index[0]] - self._turns[index[1]]
        shift = NeighborPairs(index, image).shifts(cell, batch)
        squared = edge_vectors(pos, index[0], index[1], shift).square().sum(-1)
        _check_distances(squared, index, sizes)
        near = squared < self.radius**2
        index, image = index[:, near], None if image is None else image[near]
        return NeighborTable.of_pairs(self.radius, NeighborPairs(index, image), sizes)

    def _holds(
        self, pos: Tensor, cell: Tensor | None, pbc: Tensor | None, sizes: Tensor, batch: Tensor
    ) -> bool:
        if self._pos is None or self._sizes is None or not torch.equal(self._sizes, sizes):
            return False
        if not _equal(self._pbc, pbc):
            return False
        moved, stretch = pos - self._pos, pos.new_ones(len(sizes))
        is_filled = pbc is not None and bool(pbc.all())
        if not _equal(self._cell, cell):
            if not is_filled:  # the other vectors say nothing about the positions
                return False
            assert self._cell is not None and cell is not None
            deformation = torch.linalg.solve(self._cell, cell)
            moved = pos - (self._pos.unsqueeze(1) @ deformation[batch]).squeeze(1)
            stretch = torch.linalg.svdvals(deformation)[:, -1]
        self._turns = None
        if is_filled:
            assert cell is not None
            turns = -(moved.unsqueeze(1) @ torch.linalg.inv_ex(cell).inverse[batch]).round()
            if bool(turns.any()):
                moved = moved + (turns @ cell[batch]).squeeze(1)
                self._turns = turns.squeeze(1).to(torch.int64)
        farthest = pos.new_zeros(len(sizes)).scatter_reduce(
            0, batch, moved.square().sum(-1).sqrt(), "amax"
        )
        bound = stretch * (self.radius + self.skin) - 2 * farthest
        return bool((bound > self.radius).all())


def _check_distances(squared: Tensor, index: Tensor, sizes: Tensor) -> None:
    """Raise an error for atoms that coincide, with their numbers within their structure."""
    if not len(squared) or float(squared.min()) >= _CLOSEST**2:
        return
    pair = int(squared.argmin())
    (graph, first), (_, second) = (place_of(int(atom), sizes) for atom in index[:, pair])
    of = f" of structure {graph}" if len(sizes) > 1 else ""
    distance = float(squared[pair]) ** 0.5
    raise ValueError(f"atoms {first} and {second}{of} are {distance:.2g} angstrom apart")


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)
