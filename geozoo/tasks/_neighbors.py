"""Neighbour lists, computed outside the network."""

from __future__ import annotations

from typing import Any

from torch import nn

from geozoo.contracts import NeighborListed

_ARGUMENTS = ("pos", "batch", "edge_index", "num_graphs")


def with_neighbors(
    model: nn.Module, inputs: dict[str, Any], num_pairs: int | None = None
) -> dict[str, Any]:
    """Add the neighbour list of a model to its inputs.

    The number of neighbours depends on the data: it cannot be compiled, and reading it would
    synchronise with the accelerator.

    Args:
        model: the network; inputs are returned unchanged if it is not `NeighborListed`.
        inputs: its keyword arguments.
        num_pairs: number of pairs of distinct nodes of the same graph, if known.
    """
    if not isinstance(model, NeighborListed):
        return inputs
    given = {name: inputs[name] for name in _ARGUMENTS if name in inputs}
    return {**inputs, "edge_index": model.neighbors(**given, num_pairs=num_pairs)}
