"""Neighbour pairs of all graphs of a store, found once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.data._layout import Ragged
from geozoo.geometry import NeighborPairs, neighbor_pairs
from geozoo.ops import offsets

#: Nodes searched at once.
_CHUNK = 100_000


#: Larger structures on average gain from a table; in smaller ones all pairs are tested.
_LARGE = 100


@dataclass(frozen=True)
class NeighborTable:
    """Neighbour pairs of all graphs, in compact types.

    Attributes:
        radius: cutoff of the pairs.
        counts: number of pairs of each graph.
        index: ``[2, P]`` int32 sender and receiver within each graph.
        image: ``[P, dim]`` int16 image of the sender; None if no graph is periodic.
    """

    radius: float
    counts: Ragged
    index: Int[Tensor, "2 P"]
    image: Int[Tensor, "P dim"] | None

    @classmethod
    def find(
        cls,
        pos: Float[Tensor, "N dim"],
        num_nodes: Int[Tensor, " S"],
        radius: float,
        *,
        cell: Float[Tensor, "S dim dim"] | None = None,
        pbc: Bool[Tensor, "S dim"] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> NeighborTable:
        """Find the pairs of all graphs, in chunks of about 100 000 nodes.

        Args:
            pos: positions of the nodes of all graphs.
            num_nodes: number of nodes of each graph.
            radius: cutoff, in the unit of the positions.
            cell: lattice vectors of each graph, in rows.
            pbc: periodic directions of each graph.
            progress: called with the number of graphs just searched.

        Raises:
            ValueError: See `geozoo.geometry.neighbor_pairs`.
        """
        starts, dim = offsets(num_nodes), pos.shape[1]
        parts: list[NeighborTable] = []
        first = 0
        while first < len(num_nodes):
            last = int(torch.searchsorted(starts, starts[first] + _CHUNK, right=True)) - 1
            last = min(max(last, first + 1), len(num_nodes))
            graphs, nodes = slice(first, last), slice(int(starts[first]), int(starts[last]))
            sizes = num_nodes[graphs]
            batch = torch.repeat_interleave(torch.arange(last - first), sizes)
            found = neighbor_pairs(
                pos[nodes], radius, batch, last - first,
                cell=None if cell is None else cell[graphs],
                pbc=None if pbc is None else pbc[graphs],
            )  # fmt: skip
            if found.image is None and pbc is not None:
                found = found._replace(image=found.index.new_zeros(found.index.shape[1], dim))
            parts.append(cls.of_pairs(radius, found, sizes))
            if progress is not None:
                progress(last - first)
            first = last
        images = [part.image for part in parts if part.image is not None]
        return cls(
            radius,
            Ragged(torch.cat([part.counts.counts for part in parts]), "counts"),
            torch.cat([part.index for part in parts], 1),
            torch.cat(images) if images else None,
        )

    @classmethod
    def of_pairs(
        cls, radius: float, pairs: NeighborPairs, num_nodes: Int[Tensor, " S"]
    ) -> NeighborTable:
        """The table of pairs that are known.

        Args:
            radius: cutoff of the pairs.
            pairs: the pairs of all graphs, sorted by sender as those of `neighbor_pairs`.
            num_nodes: number of nodes of each graph.
        """
        image = None if pairs.image is None else pairs.image.to(torch.int16)
        if len(num_nodes) == 1:
            counts = Ragged(torch.tensor([pairs.index.shape[1]]), "counts")
            return cls(radius, counts, pairs.index.to(torch.int32), image)
        batch = torch.repeat_interleave(torch.arange(len(num_nodes)), num_nodes)
        owner = batch[pairs.index[0]]
        counts = Ragged(torch.bincount(owner, minlength=len(num_nodes)), "counts")
        local = pairs.index - offsets(num_nodes)[:-1][owner]
        return cls(radius, counts, local.to(torch.int32), image)

    def gather(self, host: Tensor, local: Tensor, ptr: Tensor) -> dict[str, Tensor]:
        """The pairs of some graphs, as fields of a batch.

        Args:
            host: indices of the graphs, on the host if possible.
            local: the same on the device of the table.
            ptr: first node of each graph within the batch.
        """
        rows = self.counts.rows(host, local)
        shift = ptr[:-1].index_select(0, rows.segment)
        found = {"pairs": rows.take_columns(self.index).to(torch.int64) + shift}
        if self.image is not None:
            found["pair_image"] = rows.take(self.image).to(torch.int64)
        return found

    def whole(self, ptr: Tensor) -> dict[str, Tensor]:
        """The pairs of all graphs, as `gather` of all of them.

        Args:
            ptr: first node of each graph.
        """
        if len(self.counts) > 1:
            index = torch.arange(len(self.counts), device=self.index.device)
            return self.gather(index, index, ptr)
        found = {"pairs": self.index.to(torch.int64)}
        if self.image is not None:
            found["pair_image"] = self.image.to(torch.int64)
        return found

    def to(self, device: torch.device | str) -> NeighborTable:
        """The table on another device."""
        image = None if self.image is None else self.image.to(device)
        return NeighborTable(self.radius, self.counts.to(device), self.index.to(device), image)

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.index.nbytes + (0 if self.image is None else self.image.nbytes)


def gains_from_table(num_nodes: Int[Tensor, " S"], *, is_periodic: bool, has_edges: bool) -> bool:
    """Whether finding all neighbours once is faster than finding them in every batch.

    Args:
        num_nodes: number of nodes of each graph.
        is_periodic: whether the graphs have cells.
        has_edges: whether the graphs have edges of their own, which are used instead.
    """
    if has_edges or not len(num_nodes):
        return False
    return is_periodic or float(num_nodes.double().mean()) > _LARGE
