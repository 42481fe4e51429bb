"""Edges of periodic structures, from neighbour pairs and cells."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry import NeighborPairs
from geozoo.nn.edges.paired import PairedEdges


def edges_of_pairs(
    pairs: NeighborPairs,
    pos: Float[Tensor, "N dim"],
    batch: Int[Tensor, " N"],
    cell: Float[Tensor, "G dim dim"] | None = None,
) -> PairedEdges:
    """Return neighbour pairs as edges, with the shifts of periodic images.

    Args:
        pairs: neighbour pairs, see `geozoo.geometry.neighbor_pairs`.
        pos: positions, which determine the dtype of the shifts.
        batch: graph of each node.
        cell: lattice vectors of each graph, in rows; required if the pairs have images.

    Raises:
        ValueError: If the pairs have images and there is no cell.
    """
    shift = pairs.shifts(cell, batch)
    # Lattice vectors may have more digits than positions.
    shift = None if shift is None else shift.to(pos.dtype)
    return PairedEdges(pairs.index, pairs.index.shape[1], None, shift)
