"""Directed edges sorted by source and by target, so that sums over edges need no atomic adds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from geozoo.ops.ragged import offsets


class EdgeOrder(NamedTuple):
    """Edges sorted by one of their ends, in CSR form.

    Attributes:
        edges: ``[E]`` edge indices in sorted order.
        ptr: ``[N + 1]`` start of the edges of each node in this order.
    """

    edges: Int[Tensor, " E"]
    ptr: Int[Tensor, " N+1"]


class SortedEdges(NamedTuple):
    """Edges between N nodes.

    Attributes:
        source: ``[E]`` sending node of each edge.
        target: ``[E]`` receiving node of each edge.
        by_target: the edges sorted by target.
        by_source: the edges sorted by source.
    """

    source: Int[Tensor, " E"]
    target: Int[Tensor, " E"]
    by_target: EdgeOrder
    by_source: EdgeOrder

    @property
    def num_nodes(self) -> int:
        """Number N of nodes."""
        return len(self.by_target.ptr) - 1

    def reversed(self) -> SortedEdges:
        """The edges with source and target exchanged."""
        return SortedEdges(self.target, self.source, self.by_source, self.by_target)


def sort_edges(edge_index: Int[Tensor, "2 E"], num_nodes: int) -> SortedEdges:
    """Sort edges by source and by target, without synchronising with the device.

    Args:
        edge_index: senders and receivers.
        num_nodes: number N of nodes.

    >>> edges = sort_edges(torch.tensor([[0, 1, 1], [1, 0, 1]]), 2)
    >>> edges.by_target.edges.tolist(), edges.by_target.ptr.tolist()
    ([1, 0, 2], [0, 1, 3])
    """
    source, target = edge_index
    return SortedEdges(source, target, _order(target, num_nodes), _order(source, num_nodes))


def _order(ends: Tensor, num_nodes: int) -> EdgeOrder:
    counts = ends.new_zeros(num_nodes).index_add(0, ends, torch.ones_like(ends))
    return EdgeOrder(ends.argsort(stable=True), offsets(counts))
