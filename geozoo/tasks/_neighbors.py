"""Who is whose neighbour, found before a network is called."""

from __future__ import annotations

from typing import Any

from torch import nn

from geozoo.contracts import NeighborListed

_ARGUMENTS = ("pos", "batch", "edge_index", "num_graphs")


def with_neighbors(
    model: nn.Module, inputs: dict[str, Any], num_pairs: int | None = None
) -> dict[str, Any]:
    """Return a model's inputs with its edges, if it can say which they are.

    Neighbours depend on values, which no compiler can follow; and how many there are depends on
    values too, for which an accelerator would have to be asked.

    Args:
        model: the network; one that is not `NeighborListed` gets its inputs as they are.
        inputs: its arguments by name.
        num_pairs: pairs of different nodes of one graph, where they are counted already.
    """
    if not isinstance(model, NeighborListed):
        return inputs
    given = {name: inputs[name] for name in _ARGUMENTS if name in inputs}
    return {**inputs, "edge_index": model.neighbors(**given, num_pairs=num_pairs)}
