"""Conversion of the ``edge_index`` of a layer or model to edges."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from geozoo import geometry, ops
from geozoo.checks import check_shape
from geozoo.nn.edges.between import BetweenScales
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.family import Edges
from geozoo.nn.edges.paired import PairedEdges
from geozoo.nn.edges.sorted import SortedEdges
from geozoo.nn.edges.stencil import Stencil
from geozoo.nn.edges.weighted import WeightedEdges

#: Accepted as ``edge_index``: senders and receivers ``[2, E]``, results of `geozoo.geometry` and
#: `geozoo.ops`, or edges.
GivenEdges = Int[Tensor, "2 E"] | geometry.PairedEdges | ops.SortedEdges | Edges

_KINDS = (BetweenScales, DirectedEdges, PairedEdges, SortedEdges, Stencil, WeightedEdges)


def as_edges(edge_index: GivenEdges, *, pairs: bool = False) -> Edges:
    """Convert an ``edge_index`` to edges.

    Args:
        edge_index: senders and receivers ``[2, E]``; the result of `geozoo.geometry.pair_edges` or
            `geozoo.ops.sort_edges`; or edges, which are returned unchanged.
        pairs: whether a plain tensor lists undirected pairs, each once; both directions and the
            self-loop of every node are then included.

    Raises:
        ValueError: If ``edge_index`` has the wrong shape.
        TypeError: If ``edge_index`` has another type.

    >>> import torch
    >>> as_edges(torch.tensor([[0, 1], [1, 0]])).receiver
    tensor([1, 0])
    """
    if isinstance(edge_index, Tensor):
        check_shape("edge_index", edge_index, "2 E", 2, None)
        if pairs:
            return PairedEdges(edge_index, edge_index.shape[1], None)
        return DirectedEdges(edge_index)
    if isinstance(edge_index, _KINDS):
        return edge_index
    if isinstance(edge_index, geometry.PairedEdges):
        return PairedEdges(edge_index.pairs, edge_index.num_mutual, edge_index.has_loop)
    if isinstance(edge_index, ops.SortedEdges):
        return SortedEdges(edge_index)
    raise TypeError(
        "edge_index must be a tensor [2, E] or edges of geozoo.nn.edges, got "
        f"{type(edge_index).__name__}"
    )


def as_directed(edge_index: GivenEdges, num_nodes: int) -> DirectedEdges:
    """Convert to directed edges, for layers with one message per edge; see `as_edges`.

    Args:
        edge_index: see `as_edges`.
        num_nodes: number of nodes.

    Raises:
        ValueError: If ``edge_index`` has the wrong shape, or its edges cannot be listed.
        TypeError: If ``edge_index`` has another type.
    """
    return as_edges(edge_index).directed(num_nodes)
