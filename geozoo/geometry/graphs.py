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

from geozoo.ops import offsets, ragged_arange

EdgeIndex = Int[Tensor, "2 E"]


def edge_vectors(
    pos: Float[Tensor, "N dim"],
    sender: Int[Tensor, " E"],
    receiver: Int[Tensor, " E"],
    shift: Float[Tensor, "E dim"] | None = None,
) -> Float[Tensor, "E dim"]:
    r"""Return the edge vectors, from the receiver to the sender of each edge.

    .. math:: r_{ij} = p_j + s_{ij} - p_i

    for the edge j -> i. The library computes edge vectors only here.

    Args:
        pos: positions.
        sender: node j of each edge.
        receiver: node i of each edge.
        shift: added to the sender's position, such as the lattice translation of its periodic
            image, in the unit of ``pos``; None: no shift.

    Raises:
        ValueError: If ``shift`` has another shape.

    >>> edge_vectors(torch.tensor([[1.0], [4.0]]), torch.tensor([1]), torch.tensor([0]))
    tensor([[3.]])
    """
    vectors = pos.index_select(0, sender) - pos.index_select(0, receiver)
    if shift is None:
        return vectors
    if shift.shape != vectors.shape:
        raise ValueError(
            f"shift must have shape (E={vectors.shape[0]}, dim={vectors.shape[1]}), got "
            f"{tuple(shift.shape)}"
        )
    return vectors + shift


def _counts(batch: Tensor, num_graphs: int | None, num_pairs: int | None = None) -> Tensor:
    if num_pairs is not None and num_graphs is not None:  # avoids synchronising with the device
        return batch.new_zeros(num_graphs).index_add(0, batch, torch.ones_like(batch))
    if batch.numel() and bool((batch[1:] < batch[:-1]).any()):
        raise ValueError("batch must be sorted: all nodes of a graph one after the other")
    return torch.bincount(batch, minlength=num_graphs or 0)


def _check_finite(pos: Tensor) -> None:
    # Comparisons with NaN are false: the node would silently lose its edges.
    if not bool(torch.isfinite(pos.detach()).all()):
        raise ValueError("pos must be finite, got NaN or infinite values")


def complete_pairs(
    batch: Int[Tensor, " N"], num_graphs: int | None = None, *, num_pairs: int | None = None
) -> Int[Tensor, "2 P"]:
    """Return every pair of different nodes in the same graph once, the smaller index first.

    Args:
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.
        num_pairs: number P of pairs, if known (`geozoo.data.GraphBatch` stores it): together with
            ``num_graphs`` it avoids synchronising with the device, and ``batch`` is not checked.

    Raises:
        ValueError: If ``batch`` is not sorted.
    """
    counts = _counts(batch, num_graphs, num_pairs)
    ends = offsets(counts)[1:][batch]
    first = torch.arange(batch.numel(), device=batch.device)
    later = ends - first - 1
    return torch.stack([
        first.repeat_interleave(later, output_size=num_pairs),
        ragged_arange(first + 1, later, total=num_pairs),
    ])  # fmt: skip


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
    counts = _counts(batch, num_graphs, num_pairs)
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

    All pairs of a graph are tested, which suits molecules and images; the number of neighbours is
    not limited.

    Args:
        pos: positions.
        radius: cutoff in the unit of ``pos``, positive.
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.

    Raises:
        ValueError: If ``radius`` is not positive, ``batch`` is not sorted or ``pos`` not finite.
    """
    if not radius > 0:
        raise ValueError(f"radius must be positive, got {radius!r}")
    _check_finite(pos)
    pairs = complete_pairs(batch, num_graphs)
    squared = edge_vectors(pos.detach(), pairs[0], pairs[1]).square().sum(-1)
    return pairs[:, squared < radius * radius]


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

    In smaller graphs all other nodes are neighbours. There are no self-loops.

    Raises:
        ValueError: If ``num_neighbors`` is not positive, ``batch`` is not sorted or ``pos`` not
            finite.
    """
    if num_neighbors < 1:
        raise ValueError(f"num_neighbors must be at least 1, got {num_neighbors!r}")
    _check_finite(pos)
    edge_index = complete_graph(batch, num_graphs, self_loops=False)
    sender, receiver = edge_index
    distance = edge_vectors(pos.detach(), sender, receiver).square().sum(-1)
    # Two stable sorts order by receiver, then distance, then sender: ties are deterministic.
    order = distance.argsort(stable=True)
    order = order[receiver[order].argsort(stable=True)]
    degree = torch.bincount(receiver, minlength=pos.shape[0])
    rank = ragged_arange(torch.zeros_like(degree), degree)
    return edge_index[:, order[rank < num_neighbors]]
