"""Neighbour lists, computed outside the network."""

from __future__ import annotations

from typing import Any

from torch import nn

from geozoo.contracts import NeighborListed, supports_cells
from geozoo.data import GraphBatch
from geozoo.geometry import NeighborPairs

_ARGUMENTS = ("pos", "batch", "edge_index", "num_graphs")


def with_neighbors(
    model: nn.Module, inputs: dict[str, Any], batch: GraphBatch | None = None
) -> dict[str, Any]:
    """Add the neighbour list of a model to its inputs.

    The number of neighbours depends on the data: it cannot be compiled, and reading it would
    synchronise with the accelerator.

    Args:
        model: the network; inputs are returned unchanged if it is not `NeighborListed`.
        inputs: its keyword arguments.
        batch: the batch of graphs they come from, with cells and neighbour pairs if known; None:
            isolated graphs.

    Raises:
        ValueError: If a graph is periodic and the model does not support cells.
    """
    cells = {} if batch is None else _cells(model, batch)
    if not isinstance(model, NeighborListed):
        return inputs
    given = {name: inputs[name] for name in _ARGUMENTS if name in inputs}
    num_pairs = None if batch is None else batch.num_pairs
    return {**inputs, "edge_index": model.neighbors(**given, num_pairs=num_pairs, **cells)}


def _cells(model: nn.Module, batch: GraphBatch) -> dict[str, Any]:
    """Cells and known neighbour pairs, as arguments of `NeighborListed.neighbors`."""
    cell, pbc = batch.get("cell"), batch.get("pbc")
    if not supports_cells(model):
        if pbc is not None and bool(pbc.any()):
            raise ValueError(
                f"{type(model).__name__} does not support periodic structures: its method "
                "`neighbors` must take cell, pbc and pairs (see geozoo.contracts.supports_cells)"
            )
        return {}
    found: dict[str, Any] = {} if cell is None else {"cell": cell, "pbc": pbc}
    known, radius = batch.neighbor_radius, getattr(model, "radius", None)
    # Pairs beyond the cutoff of the model would be edges, too.
    if known is not None and known == radius:
        found["pairs"] = NeighborPairs(batch.pairs, batch.get("pair_image"))
    return found
