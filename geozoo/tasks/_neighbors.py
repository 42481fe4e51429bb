"""Neighbour lists, computed outside the network."""

from __future__ import annotations

from typing import Any

from torch import nn

from geozoo.contracts import NeighborListed, supports_cells
from geozoo.data import GraphBatch
from geozoo.geometry import NeighborPairs

_ARGUMENTS = ("pos", "batch", "edge_index", "num_graphs")


def with_neighbors(
    model: nn.Module,
    inputs: dict[str, Any],
    batch: GraphBatch | None = None,
    *,
    num_pairs: int | None = None,
) -> dict[str, Any]:
    """Add the neighbour list of a model to its inputs.

    The number of neighbours depends on the data: it cannot be compiled, and reading it would
    synchronise with the accelerator.

    Args:
        model: the network; inputs are returned unchanged if it is not `NeighborListed`.
        inputs: its keyword arguments.
        batch: the batch of graphs they come from, with cells and neighbour pairs if known; None:
            isolated graphs.
        num_pairs: number of pairs of distinct nodes of the same graph; None: that of the batch.

    Raises:
        ValueError: If a graph is periodic and the model does not support cells, or the graphs have
            edges of their own, of which it is not known across which boundaries they lead.
    """
    cells = {} if batch is None else _cells(model, batch)
    if not isinstance(model, NeighborListed):
        return inputs
    given = {name: inputs[name] for name in _ARGUMENTS if name in inputs}
    if batch is not None and num_pairs is None:
        num_pairs = batch.num_pairs
    return {**inputs, "edge_index": model.neighbors(**given, num_pairs=num_pairs, **cells)}


def check_cells(model: nn.Module, *, is_periodic: bool, has_edges: bool) -> None:
    """Reject periodic graphs whose neighbours across the boundary the model would not see.

    Args:
        model: the network.
        is_periodic: whether a graph is periodic.
        has_edges: whether the graphs have edges of their own.

    Raises:
        ValueError: If they are periodic, and have edges or the model does not support cells.
    """
    if not is_periodic:
        return
    if not supports_cells(model):
        raise ValueError(
            f"model: {type(model).__name__} does not support periodic structures: its method "
            "`neighbors` must take cell, pbc and pairs (see geozoo.contracts.supports_cells)"
        )
    if has_edges:
        raise ValueError(
            "edge_index cannot be given for periodic structures, since it does not say to which "
            "periodic image an edge leads: neighbours are found within the cutoff of the model"
        )


def _cells(model: nn.Module, batch: GraphBatch) -> dict[str, Any]:
    """Cells and known neighbour pairs, as arguments of `NeighborListed.neighbors`."""
    cell, pbc = batch.get("cell"), batch.get("pbc")
    if getattr(model, "sees_positions", True) is False:
        return {}
    if pbc is not None:
        check_cells(model, is_periodic=bool(pbc.any()), has_edges="edge_index" in batch)
    if not supports_cells(model):
        return {}
    found: dict[str, Any] = {} if cell is None else {"cell": cell, "pbc": pbc}
    known, radius = batch.neighbor_radius, getattr(model, "radius", None)
    # Pairs beyond the cutoff of the model would be edges, too.
    if known is not None and known == radius:
        found["pairs"] = NeighborPairs(batch.pairs, batch.get("pair_image"))
    return found
