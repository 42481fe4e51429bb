"""A point set at several scales: points kept, edges within a scale and between scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from geozoo.geometry import farthest_points, nearest_graph
from geozoo.models._rapidash_options import RapidashScales
from geozoo.nn.edges import BetweenScales, Edges, GivenEdges
from geozoo.ops import is_traced


class Scale(NamedTuple):
    """One scale of a point set.

    Attributes:
        edges: edges between its points; None: the network has no blocks there.
        kept: ``[M]`` its points that the next scale keeps; None for the coarsest scale.
        down: edges from each point to the kept point nearest to it; None for the coarsest scale.
    """

    edges: Edges | None
    kept: Int[Tensor, " M"] | None
    down: BetweenScales | None


class PointScales(NamedTuple):
    """The scales of a batch of point sets, the one of all points first."""

    scales: tuple[Scale, ...]


def point_scales(
    pos: Tensor,
    batch: Tensor,
    edge_index: GivenEdges | None,
    *,
    num_graphs: int,
    options: RapidashScales,
    edges_at: Callable[[int, Tensor, Tensor, GivenEdges | None], Edges | None],
) -> PointScales:
    """Choose the points of all scales and find their edges.

    Args:
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``, sorted.
        edge_index: edges of the first scale; None: as in the others.
        num_graphs: number of graphs.
        options: the scales.
        edges_at: converts the edges of a scale, given its number, positions and graphs; edges None
            stand for all pairs.

    Raises:
        RuntimeError: Within a compiled region: the shape of the result depends on values.
    """
    if is_traced():
        raise RuntimeError(
            "farthest-point sampling and nearest neighbours cannot be compiled or exported: pass "
            "the result of `neighbors` as edge_index"
        )
    pos, scales, last = pos.detach(), [], len(options.layers) - 1
    for number in range(last + 1):
        given = edge_index if number == 0 else None
        if given is None and not (number == last and options.coarsest == "complete"):
            given = _nearest_with_loops(pos, options.num_neighbors, batch, num_graphs)
        edges = edges_at(number, pos, batch, given)
        if number == last:
            scales.append(Scale(edges, None, None))
            break
        kept, nearest = farthest_points(pos, options.ratio, batch, num_graphs)
        every = torch.arange(len(batch), device=batch.device)
        scales.append(Scale(edges, kept, BetweenScales(nearest, every, kept)))
        pos, batch = pos[kept], batch[kept]
    return PointScales(tuple(scales))


def _nearest_with_loops(pos: Tensor, number: int, batch: Tensor, num_graphs: int) -> Tensor:
    loops = torch.arange(len(batch), device=batch.device).expand(2, -1)
    return torch.cat([nearest_graph(pos, number, batch, num_graphs), loops], 1)
