"""Fields of all graphs of a store, computed in chunks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from geozoo.data.batch import GraphBatch
from geozoo.data.store import GraphStore

#: Node and graph fields: ``{"node": {...}, "graph": {...}}``.
Fields = dict[str, dict[str, Tensor]]
#: Nodes per chunk.
_CHUNK = 500


def computed_fields(
    store: GraphStore, compute: Callable[[GraphBatch], Fields], progress: Callable[[int], None]
) -> Fields:
    """Compute fields of all graphs.

    Args:
        store: the graphs.
        compute: the fields of a batch.
        progress: called with the number of graphs just processed.
    """
    parts: dict[tuple[str, str], list[Tensor]] = {}
    for index in _chunks(store.num_nodes):
        for level, values in compute(store.gather(index)).items():
            for name, value in values.items():
                parts.setdefault((level, name), []).append(value)
        progress(len(index))
    fields: Fields = {}
    for (level, name), pieces in parts.items():
        fields.setdefault(level, {})[name] = torch.cat(pieces)
    return fields


def _chunks(num_nodes: Tensor) -> tuple[Tensor, ...]:
    """Indices of consecutive graphs with about `_CHUNK` nodes, or a single larger graph."""
    chunk = (num_nodes.cumsum(0) - 1).div(_CHUNK, rounding_mode="floor")
    return torch.arange(len(num_nodes)).split(
        chunk.unique_consecutive(return_counts=True)[1].tolist()
    )
