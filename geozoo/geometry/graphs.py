"""Graphs built from positions: complete graphs, radius graphs, k nearest neighbours.

``edge_index[0]`` is the sender and ``edge_index[1]`` the receiver. An undirected graph is also
given by its *pairs* ``[2, P]``: each unordered pair once, smaller index first, without self-loops.
Layers that share kernels between both directions take pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.geometry._nearest import nearest_in_large_graph, nearest_of_edges
from geozoo.geometry._pairs import check_finite, graph_sizes
from geozoo.geometry._pairs import complete_pairs as complete_pairs
from geozoo.geometry._pairs import edge_vectors as edge_vectors
from geozoo.geometry.neighbors import neighbor_pairs
from geozoo.ops import offsets, ragged_arange

#: Largest graph for whose nearest neighbours all pairs are tested.
_TESTED_NODES = 200

EdgeIndex = Int[Tensor, "2 E"]


def complete_graph(
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
    *,
    self_loops: bool = True,
    num_pairs: int | None = None,
) -> EdgeIndex:
    """Return every ordered pair of nodes in the same graph, sorted by receiver.

    Args:
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.
        self_loops: whether to include self-loops; excluding them synchronises with the device.
        num_pairs: see `complete_pairs`.

    Raises:
        ValueError: If ``batch`` is not sorted.
    """
    counts = graph_sizes(batch, num_graphs, num_pairs)
    total = None if num_pairs is None else 2 * num_pairs + batch.numel()
    starts, sizes = offsets(counts)[:-1][batch], counts[batch]
    receiver = torch.arange(batch.numel(), device=batch.device)
    receiver = receiver.repeat_interleave(sizes, output_size=total)
    edge_index = torch.stack([ragged_arange(starts, sizes, total=total), receiver])
    return edge_index if self_loops else edge_index[:, edge_index[0] != edge_index[1]]


def directed_edges(
    pairs: Int[Tensor, "2 P"], num_nodes: int, *, self_loops: bool = True
) -> EdgeIndex:
    """Return both directions of each pair and, optionally, the self-loop of each node."""
    parts = [pairs, pairs.flip(0)]
    if self_loops:
        parts.append(torch.arange(num_nodes, device=pairs.device).expand(2, -1))
    return torch.cat(parts, 1)


class PairedEdges(NamedTuple):
    """Directed edges, grouped by whether the reverse edge exists too.

    Attributes:
        pairs: ``[2, P]`` sender and receiver, each unordered pair of different nodes once; pairs
            with both directions come first.
        num_mutual: number of pairs with both directions.
        has_loop: ``[N]`` whether each node has a self-loop; None: all have.
    """

    pairs: Int[Tensor, "2 P"]
    num_mutual: int
    has_loop: Bool[Tensor, " N"] | None


def pair_edges(edge_index: EdgeIndex, num_nodes: int) -> PairedEdges | None:
    """Pair edges with their reverse edges, so that layers can share a kernel between them.

    Args:
        edge_index: senders and receivers.
        num_nodes: number of nodes.

    Returns:
        The pairs, or None if an edge is listed more than once.

    >>> pair_edges(torch.tensor([[0, 1, 2, 2], [1, 0, 1, 2]]), 3).pairs.tolist()
    [[0, 2], [1, 1]]
    """
    is_loop = edge_index[0] == edge_index[1]
    loops = torch.bincount(edge_index[0, is_loop], minlength=num_nodes)
    edges = edge_index[:, ~is_loop]
    key, order = (edges.amin(0) * num_nodes + edges.amax(0)).sort(stable=True)
    edges = edges[:, order]
    follows = key[1:] == key[:-1]  # the unordered pair of the edge before it
    repeated = follows & (edges[0, 1:] == edges[0, :-1])
    thrice = follows[1:] & follows[:-1]
    if bool((loops > 1).any() | repeated.any() | thrice.any()):
        return None
    no = follows.new_zeros(1)
    is_first = ~torch.cat([no, follows])[: len(key)]
    is_mutual = torch.cat([follows, no])[: len(key)]
    pairs = torch.cat([edges[:, is_first & is_mutual], edges[:, is_first & ~is_mutual]], 1)
    return PairedEdges(pairs, int(is_mutual.sum()), loops > 0)


def radius_pairs(
    pos: Float[Tensor, "N dim"],
    radius: float,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
) -> Int[Tensor, "2 P"]:
    """Return all pairs of nodes in the same graph that are closer than ``radius``.

    The number of neighbours is not limited. Time and memory are linear in the size of the graphs;
    see `geozoo.geometry.neighbor_pairs`, which also finds neighbours across periodic boundaries.

    Args:
        pos: positions.
        radius: cutoff in the unit of ``pos``, positive.
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.

    Raises:
        ValueError: If ``radius`` is not positive, ``batch`` is not sorted or ``pos`` not finite.
        MemoryError: If the expected pairs do not fit into the available memory.
    """
    return neighbor_pairs(pos, radius, batch, num_graphs).index


def radius_graph(
    pos: Float[Tensor, "N dim"],
    radius: float,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
    *,
    self_loops: bool = True,
) -> EdgeIndex:
    """Return both directions of `radius_pairs` and, optionally, self-loops."""
    pairs = radius_pairs(pos, radius, batch, num_graphs)
    return directed_edges(pairs, pos.shape[0], self_loops=self_loops)


def knn_graph(
    pos: Float[Tensor, "N dim"],
    num_neighbors: int,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
) -> EdgeIndex:
    """Return the nearest neighbours (senders) of each node (receiver) in the same graph.

    In smaller graphs all other nodes are neighbours. There are no self-loops. Edges are sorted by
    receiver, then distance, then sender. Time and memory are linear in the size of large graphs.

    Raises:
        ValueError: If ``num_neighbors`` is not positive, ``batch`` is not sorted or ``pos`` not
            finite.
    """
    if num_neighbors < 1:
        raise ValueError(f"num_neighbors must be at least 1, got {num_neighbors!r}")
    check_finite(pos)
    pos, counts = pos.detach(), graph_sizes(batch, num_graphs)
    sizes = counts.tolist()
    if max(sizes, default=0) <= _TESTED_NODES:
        return nearest_of_edges(
            pos, complete_graph(batch, num_graphs, self_loops=False), num_neighbors
        )
    parts, start = [], 0
    for size, points in zip(sizes, pos.split(sizes), strict=True):
        if size <= max(_TESTED_NODES, 4 * num_neighbors):
            edges = complete_graph(batch.new_zeros(size), self_loops=False)
            found = nearest_of_edges(points, edges, num_neighbors)
        else:
            found = nearest_in_large_graph(points, num_neighbors)
        parts.append(found + start)
        start += size
    return torch.cat(parts, 1)
