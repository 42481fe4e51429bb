"""Atoms as plain tensors, their neighbour pairs, and the interface of an energy term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.geometry import edge_vectors, neighbor_pairs

#: :math:`e^2 / 4 \pi \varepsilon_0` in meV angstrom (CODATA 2018).
COULOMB_CONSTANT = 14399.645478425667
#: Bohr radius in angstrom (CODATA 2018).
BOHR = 0.529177210903


class AtomicSystem(NamedTuple):
    """Molecules and crystals of a batch.

    Attributes:
        pos: ``[N, 3]`` positions in angstrom, float64.
        numbers: ``[N]`` atomic numbers.
        batch: ``[N]`` graph of each atom, sorted.
        num_graphs: number of graphs G.
        cell: ``[G, 3, 3]`` lattice vectors as rows, in angstrom; None: all graphs are molecules.
        pbc: ``[G, 3]`` periodic directions; None: all graphs are molecules.
    """

    pos: Float[Tensor, "N 3"]
    numbers: Int[Tensor, " N"]
    batch: Int[Tensor, " N"]
    num_graphs: int
    cell: Float[Tensor, "G 3 3"] | None = None
    pbc: Bool[Tensor, "G 3"] | None = None


class PairList(NamedTuple):
    """Neighbour pairs, each once, with the shifts of periodic images.

    Attributes:
        index: ``[2, P]`` sender and receiver.
        shift: ``[P, 3]`` added to the position of the sender, in angstrom; None: no shift.
    """

    index: Int[Tensor, "2 P"]  # type: ignore[assignment]  # a tuple has a method of this name
    shift: Float[Tensor, "P 3"] | None = None

    @property
    def receiver(self) -> Int[Tensor, " P"]:
        """Receiver of each pair."""
        return self.index[1]

    def with_shift(self, shift: Tensor) -> PairList:
        """The same pairs with other shifts."""
        return self._replace(shift=shift)

    def distances(self, pos: Float[Tensor, "N 3"]) -> Float[Tensor, " P"]:
        """Distance of each pair; its derivative is NaN where two atoms coincide."""
        return edge_vectors(pos, self.index[0], self.index[1], self.shift).square().sum(-1).sqrt()


class Term(nn.Module, ABC):
    """An energy without trained parameters, as a function of the positions and elements."""

    @abstractmethod
    def pairs(self, system: AtomicSystem) -> PairList:
        """Check the system and find the pairs that the energy depends on.

        Raises:
            ValueError: If the term is not defined for the system.
        """

    def reach(self, elements: Sequence[int]) -> float | None:
        """Distance in angstrom beyond which pairs of these elements contribute nothing.

        None (the default): the energy depends on more than the pairs within a distance.

        Args:
            elements: atomic numbers; 0 stands for none.
        """
        return None

    @abstractmethod
    def forward(self, system: AtomicSystem, pairs: PairList) -> Float[Tensor, " G"]:
        """Return the energy of each graph in meV.

        Args:
            system: the atoms.
            pairs: those of `pairs`; their shifts are strained together with positions and cell.
        """


def find_pairs(system: AtomicSystem, radius: float) -> PairList:
    """Return the pairs of atoms of the same graph, and of their images, within a cutoff.

    Args:
        system: the atoms.
        radius: cutoff in angstrom; infinite for molecules only.

    Raises:
        ValueError: See `geozoo.geometry.neighbor_pairs`.
    """
    found = neighbor_pairs(
        system.pos, radius, system.batch, system.num_graphs, cell=system.cell, pbc=system.pbc
    )
    return PairList(found.index, found.shifts(system.cell, system.batch))


def sum_of_pairs(
    energies: Float[Tensor, " P"], system: AtomicSystem, pairs: PairList
) -> Float[Tensor, " G"]:
    """Sum the energies of pairs in each graph."""
    owner = system.batch.index_select(0, pairs.receiver)
    total = torch.zeros(system.num_graphs, dtype=energies.dtype, device=energies.device)
    return total.index_add(0, owner, energies)
