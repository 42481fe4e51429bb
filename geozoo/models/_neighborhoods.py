"""Who sends to whom in a batch, and in which form the kernels are evaluated."""

from __future__ import annotations

from torch import Tensor

from geozoo.geometry import (
    PairedEdges,
    complete_graph,
    complete_pairs,
    pair_edges,
    radius_graph,
    radius_pairs,
)
from geozoo.nn.representation import lattice_geometry
from geozoo.nn.representation._base import Geometry, Representation
from geozoo.ops import is_traced, sort_edges


def find_neighbors(
    representation: Representation,
    backend: str,
    pos: Tensor,
    batch: Tensor,
    edge_index: Tensor | PairedEdges | None,
    *,
    num_graphs: int,
    radius: float | None,
    conditioned: bool,
    num_pairs: int | None = None,
) -> Tensor | PairedEdges:
    """Return the edges in the fastest of the equal forms that a backend allows.

    Args:
        representation: how positions become points and kernels.
        backend: a name out of `geozoo.models._ponita_choices.resolve_backend`.
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``, sorted.
        edge_index: senders and receivers, used as they are; None: every pair within ``radius``.
        num_graphs: number of graphs.
        radius: cut-off; None: every pair of a graph.
        conditioned: whether kernels depend on more than positions.
        num_pairs: pairs of different nodes of one graph, where the caller knows their number.
    """
    if isinstance(edge_index, PairedEdges):
        return edge_index
    if edge_index is not None:
        # On an accelerator the search for reversed edges would wait for the device.
        searched = backend in ("lattice", "shared") and representation.shares_pairs
        searched = searched and edge_index.device.type == "cpu" and not is_traced()
        paired = pair_edges(edge_index, len(pos)) if searched and not conditioned else None
        return edge_index if paired is None else paired
    if backend == "shared":
        if radius is None:
            pairs = complete_pairs(batch, num_graphs, num_pairs=num_pairs)
        else:
            pairs = radius_pairs(pos, radius, batch, num_graphs)
        return PairedEdges(pairs, pairs.shape[1], None)
    if radius is None:
        return complete_graph(batch, num_graphs, num_pairs=num_pairs)
    return radius_graph(pos, radius, batch, num_graphs)


def neighborhood_geometry(
    representation: Representation,
    backend: str,
    pos: Tensor,
    batch: Tensor,
    edge_index: Tensor | PairedEdges | None,
    *,
    num_graphs: int,
    radius: float | None,
    lattice: tuple[int, ...] | None,
    condition: Tensor | None,
) -> Geometry:
    """Return bases and indices for the edges that `find_neighbors` returns.

    Args:
        representation: see `find_neighbors`, as are the arguments up to ``radius``.
        backend: its name.
        pos: positions.
        batch: graph of each node.
        edge_index: edges, or None.
        num_graphs: number of graphs.
        radius: cut-off, or None.
        lattice: points along each axis, where every graph is a regular point set.
        condition: ``[G, condition_channels]``, or None.
    """
    if edge_index is None and backend == "lattice" and num_graphs and not pos.requires_grad:
        return lattice_geometry(representation, pos, batch, lattice, num_graphs, condition)
    edges = find_neighbors(
        representation, backend, pos, batch, edge_index, num_graphs=num_graphs, radius=radius,
        conditioned=condition is not None,
    )  # fmt: skip
    if condition is not None:
        condition = condition.index_select(0, batch)
    if not isinstance(edges, PairedEdges):
        geometry = representation.geometry(pos, edges, batch, condition=condition)
        return _sorted(geometry, edges) if backend == "triton" else geometry
    geometry = representation.geometry(pos, edges.pairs, batch, pairs=True, condition=condition)
    return geometry._replace(neighborhood={**geometry.neighborhood, "edge_index": edges})


def _sorted(geometry: Geometry, edge_index: Tensor) -> Geometry:
    """Return the same geometry with the edges in the order of their ends."""
    edges = sort_edges(edge_index, geometry.num_nodes)
    return geometry._replace(neighborhood={**geometry.neighborhood, "edge_index": edges})
