"""Edges for sums over neighbours in which both directions of a pair share a row."""

from __future__ import annotations

from geozoo.nn.edges.given import GivenEdges, as_edges
from geozoo.nn.edges.paired import PairedEdges
from geozoo.ops import EdgeRows


def as_edge_rows(edge_index: GivenEdges | EdgeRows, num_nodes: int) -> EdgeRows:
    """Convert edges to rows; both directions of pairs without self-loops share a row.

    Args:
        edge_index: senders and receivers, or edges of `geozoo.nn.edges`; rows are returned
            unchanged.
        num_nodes: number of nodes.

    Raises:
        ValueError: If ``edge_index`` has the wrong shape, or its edges cannot be listed.
        TypeError: If ``edge_index`` has another type.
    """
    if isinstance(edge_index, EdgeRows):
        return edge_index
    edges = as_edges(edge_index)
    if isinstance(edges, PairedEdges) and shares_rows(edges):
        return EdgeRows.of_pairs(edges.pairs)
    directed = edges.directed(num_nodes)
    return EdgeRows.of(directed.sender, directed.receiver)


def shares_rows(edges: PairedEdges) -> bool:
    """Whether pairs have both directions each, and no self-loops."""
    return edges.is_loopless and edges.num_mutual == edges.pairs.shape[1]
