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
    index, image = pairs
    shift = None
    if image is not None:
        if cell is None:
            raise ValueError("cell must be given with neighbours across periodic boundaries")
        rows = cell.index_select(0, batch.index_select(0, index[0]))
        # Lattice vectors have more digits than float32 positions.
        shift = (image.to(rows.dtype).unsqueeze(1) @ rows).squeeze(1).to(pos.dtype)
    return PairedEdges(index, index.shape[1], None, shift)
