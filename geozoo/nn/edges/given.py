"""From what a layer or model is given to edges: the one place that looks at its kind."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from geozoo import geometry, ops
from geozoo.checks import check_shape
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.family import Edges
from geozoo.nn.edges.paired import PairedEdges
from geozoo.nn.edges.sorted import SortedEdges
from geozoo.nn.edges.stencil import Stencil

#: What stands for edges: senders and receivers ``[2, E]``, what functions of other rooms find, or
#: edges themselves.
GivenEdges = Int[Tensor, "2 E"] | geometry.PairedEdges | ops.SortedEdges | Edges

_KINDS = (DirectedEdges, PairedEdges, SortedEdges, Stencil)


def as_edges(edge_index: GivenEdges, *, pairs: bool = False) -> Edges:
    """Return edges for what a caller gave.

    Args:
        edge_index: senders and receivers ``[2, E]``; pairs by `geozoo.geometry.pair_edges`; an
            order by `geozoo.ops.sort_edges`; or edges, which are returned as they are.
        pairs: whether plain senders and receivers are undirected pairs, each listed once, both of
            whose directions are there, as is the self-loop of every node.

    Raises:
        ValueError: for another shape.
        TypeError: for something else.

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
    """Return edges one by one, for layers that make a message of each; see `as_edges`.

    Args:
        edge_index: what a caller gave.
        num_nodes: number of nodes.

    Raises:
        ValueError: for another shape, or edges that cannot be listed.
        TypeError: for something else.
    """
    return as_edges(edge_index).directed(num_nodes)
