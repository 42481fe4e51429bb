"""Coarser sets of points: farthest-point sampling, and nearest neighbours with all ties.

The choices depend on distances only, and points at equal distances are chosen together. So they do
not depend on the order of the points, and turn with them, symmetric point sets included.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry._pairs import check_finite, edge_vectors, graph_sizes
from geozoo.geometry.graphs import EdgeIndex, knn_graph
from geozoo.ops import centred, offsets, ragged_arange, scatter

#: Lengths that differ by less than this many rounding errors of the coordinates are equal.
_TIE = 64


class SampledPoints(NamedTuple):
    """Points kept by `farthest_points`, and the kept points next to every point.

    Attributes:
        kept: ``[M]`` indices of the points kept, ascending.
        nearest: ``[2, E]`` each point, and the row of ``kept`` of the kept point nearest to it;
            several rows for a point at equal distances from several, at least one for each point.
    """

    kept: Int[Tensor, " M"]
    nearest: Int[Tensor, "2 E"]


def farthest_points(
    pos: Float[Tensor, "N dim"],
    ratio: float,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
) -> SampledPoints:
    """Keep a fraction of the points of each graph by farthest-point sampling.

    The first point is the one farthest from the mean position; each further point is the one whose
    distance to the points chosen before is largest. Of points at equal distances (up to rounding)
    the one farthest from the mean position comes first, then the one with the largest sum of
    distances to the points chosen before. Points that are still equal are related by a symmetry,
    or nearly so, and are chosen together: a symmetric graph may keep more points than its share.

    Args:
        pos: positions.
        ratio: fraction of the points to keep, above 0 and at most 1; rounded up, so that every
            graph with points keeps at least one.
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.

    Raises:
        ValueError: If ``ratio`` is out of range, ``batch`` is not sorted or ``pos`` not finite.

    Note:
        One step for each point kept of the largest graph, of a cost linear in the batch.

    >>> pos = torch.tensor([[0.0], [1.0], [5.0], [2.0]])
    >>> found = farthest_points(pos, 0.5, torch.zeros(4, dtype=torch.int64))
    >>> found.kept, found.nearest[1]
    (tensor([0, 2]), tensor([0, 0, 1, 0]))
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must be above 0 and at most 1, got {ratio!r}")
    check_finite(pos)
    sizes = graph_sizes(batch, num_graphs)
    exact, tie = pos.detach().double(), _tie(pos.detach(), batch, len(sizes))
    wanted = (ratio * sizes.double() - 1e-9).ceil()
    from_mean = centred(exact, batch, len(sizes)).norm(dim=1)
    closest, total = torch.full_like(from_mean, torch.inf), torch.zeros_like(from_mean)
    chosen, count = torch.zeros_like(batch, dtype=torch.bool), torch.zeros_like(wanted)
    rows, lengths = [torch.stack([batch[:0], batch[:0]])], [from_mean[:0]]
    while bool((is_open := count < wanted).any()):
        keys = (closest if len(rows) > 1 else from_mean, from_mean, total)
        slack = tie * count.clamp_min(1)[batch]  # sums of as many distances
        found = _first((~chosen & is_open[batch]).nonzero()[:, 0], keys, batch, slack, is_open)
        chosen[found] = True
        count = count + torch.bincount(batch[found], minlength=len(sizes))
        point, center = _graphs_of(found, batch, sizes)
        distance = (exact[point] - exact[center]).norm(dim=1)
        total = total.index_add(0, point, distance)
        is_close = distance <= (closest + tie)[point]
        closest = closest.scatter_reduce(0, point, distance, "amin")
        rows.append(torch.stack([point, center])[:, is_close])
        lengths.append(distance[is_close])
    pairs = torch.cat(rows, 1)
    pairs = pairs[:, torch.cat(lengths) <= (closest + tie)[pairs[0]]]
    pairs = pairs[:, (pairs[0] * len(batch) + pairs[1]).argsort()]
    place = chosen.cumsum(0) - 1
    return SampledPoints(chosen.nonzero()[:, 0], torch.stack([pairs[0], place[pairs[1]]]))


def nearest_graph(
    pos: Float[Tensor, "N dim"],
    num_neighbors: int,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
) -> EdgeIndex:
    """Return edges from the nearest other nodes (senders) to each node, with all ties.

    As `knn_graph`, but all nodes as close as the last neighbour (up to rounding) are neighbours,
    too, instead of some of them by their index.

    Args:
        pos: positions.
        num_neighbors: neighbours of each node, or all other nodes in smaller graphs.
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.

    Raises:
        ValueError: If ``num_neighbors`` is not positive, ``batch`` is not sorted or ``pos`` not
            finite.

    >>> pos = torch.tensor([[0.0], [1.0], [-1.0], [5.0]])
    >>> nearest_graph(pos, 1, torch.zeros(4, dtype=torch.int64)).tolist()
    [[1, 2, 0, 0, 1], [0, 0, 1, 2, 3]]
    """
    sizes = graph_sizes(batch, num_graphs)
    tie, most = _tie(pos.detach(), batch, len(sizes)), int(sizes.max()) if len(sizes) else 0
    searched = num_neighbors
    while True:
        searched = min(2 * searched, max(most - 1, num_neighbors))
        sender, receiver = edges = knn_graph(pos, searched, batch, num_graphs)
        length = edge_vectors(pos.detach().double(), sender, receiver).norm(dim=1)
        degree = torch.bincount(receiver, minlength=len(batch))
        start = offsets(degree)[:-1]
        last = torch.where(degree > 0, start + degree.clamp_max(num_neighbors) - 1, 0)
        reach = length[last] + tie if len(length) else tie
        is_near = length <= reach[receiver]
        # Neighbours are sorted by length: further ties can follow only after a full list of them.
        near = torch.bincount(receiver[is_near], minlength=len(batch))
        if searched >= most - 1 or not bool(((near == degree) & (degree == searched)).any()):
            return edges[:, is_near]


def _tie(pos: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """Difference up to which two lengths at a node of its graph count as equal, ``[N]``."""
    precision = torch.finfo(pos.dtype).eps if pos.is_floating_point() else 0.0
    largest = scatter(pos.double().abs().amax(1), batch, num_graphs, "max")
    return _TIE * precision * largest[batch]


def _first(
    found: Tensor, keys: tuple[Tensor, ...], batch: Tensor, slack: Tensor, is_open: Tensor
) -> Tensor:
    """The candidates of each graph with the largest keys, compared one after the other."""
    for key in keys:
        if len(found) == int(is_open.sum()):
            break
        value, graph = key[found], batch[found]
        most = scatter(value, graph, len(is_open), "max")[graph]
        # Infinite values, of which the difference is undefined, are equal.
        found = found[(value == most) | (value >= most - slack[found])]
    return found


def _graphs_of(found: Tensor, batch: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs of a point and a found point of the same graph."""
    graph = batch[found]
    point = ragged_arange(offsets(sizes)[:-1][graph], sizes[graph])
    return point, found.repeat_interleave(sizes[graph])
