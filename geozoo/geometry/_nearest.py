"""The nearest points to each point of a graph: all pairs are tested, or balls that grow."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.geometry._cell_list import close_to
from geozoo.geometry._pairs import edge_vectors
from geozoo.ops import ragged_arange

#: Points whose nearest neighbours are found first, to learn how large a ball must be.
_SAMPLES = 32
#: Factor by which the ball of a point without enough neighbours grows.
_GROWTH = 1.5


def nearest_of_edges(pos: Tensor, edge_index: Tensor, num_neighbors: int) -> Tensor:
    """Keep the shortest edges into each node, sorted by receiver, length and sender.

    Args:
        pos: ``[N, dim]``.
        edge_index: ``[2, E]`` with senders in ascending order for every receiver.
        num_neighbors: edges to keep for each receiver.
    """
    sender, receiver = edge_index
    distance = edge_vectors(pos, sender, receiver).square().sum(-1)
    # Two stable sorts order by receiver, then distance, then sender: ties are deterministic.
    order = distance.argsort(stable=True)
    order = order[receiver[order].argsort(stable=True)]
    degree = torch.bincount(receiver, minlength=pos.shape[0])
    rank = ragged_arange(torch.zeros_like(degree), degree)
    return edge_index[:, order[rank < num_neighbors]]


def nearest_in_large_graph(pos: Tensor, num_neighbors: int) -> Tensor:
    """Return the edges from the nearest other nodes to each node of one graph, in linear time.

    Args:
        pos: ``[N, dim]`` finite positions of more nodes than ``num_neighbors``.
        num_neighbors: neighbours of each node.

    Returns:
        ``[2, N * num_neighbors]``, in the order of `nearest_of_edges`.
    """
    exact, graph = pos.double(), torch.zeros(len(pos), dtype=torch.int64, device=pos.device)
    remaining = torch.arange(len(pos), device=pos.device)
    precision = torch.finfo(pos.dtype if pos.is_floating_point() else torch.float64).eps
    radius, parts = _usual_distance(exact, num_neighbors), []
    while len(remaining):
        queries = graph[: len(remaining)]
        found = close_to(exact[remaining], queries, exact, graph, radius)
        receiver, sender = remaining[found.first], found.second
        # Beyond the ball there may be points as close as those at its surface, in this precision.
        inside = (sender != receiver) & (found.squared < (radius * (1 - 32 * precision)) ** 2)
        count = torch.bincount(found.first[inside], minlength=len(remaining))
        complete = count >= num_neighbors
        kept = (complete[found.first] & (sender != receiver)).nonzero().squeeze(1)
        edge_index = torch.stack([sender[kept], receiver[kept]])
        edge_index = edge_index[:, edge_index[0].argsort(stable=True)]
        parts.append(nearest_of_edges(pos, edge_index, num_neighbors))
        remaining, radius = remaining[~complete], _GROWTH * radius
    edge_index = torch.cat(parts, 1)
    return edge_index[:, edge_index[1].argsort(stable=True)]


def _usual_distance(pos: Tensor, num_neighbors: int) -> float:
    """Distance within which about half of the points have enough neighbours."""
    chosen = pos[:: max(len(pos) // _SAMPLES, 1)]
    squared = (chosen[:, None] - pos).square().sum(-1)
    nearest = squared.kthvalue(num_neighbors + 1, dim=1).values.sqrt()  # the point itself is first
    positive = nearest[nearest > 0]
    return 1.1 * float(positive.median()) if len(positive) else float(squared.max().sqrt()) or 1.0
