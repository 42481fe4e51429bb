"""Neighbour lists of a batch, in the form that the kernels are evaluated in."""

from __future__ import annotations

from torch import Tensor

from geozoo.geometry import complete_graph, complete_pairs, pair_edges, radius_graph, radius_pairs
from geozoo.models._ponita_choices import Form
from geozoo.nn.edges import DirectedEdges, Edges, GivenEdges, PairedEdges, SortedEdges, as_edges
from geozoo.nn.representation import lattice_geometry
from geozoo.nn.representation._base import Geometry, Representation
from geozoo.ops import is_traced, sort_edges


def find_edges(
    representation: Representation,
    form: Form,
    pos: Tensor,
    batch: Tensor,
    edge_index: GivenEdges | None,
    *,
    num_graphs: int,
    radius: float | None,
    conditioned: bool,
    num_pairs: int | None = None,
) -> Edges:
    """Return the edges in the fastest equivalent form that the backend supports.

    Args:
        representation: representation of the point cloud.
        form: how kernels are evaluated.
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``, sorted.
        edge_index: senders and receivers; edges, which are returned unchanged; None: all pairs
            within ``radius``.
        num_graphs: number of graphs.
        radius: cutoff; None: complete graphs.
        conditioned: whether kernels depend on a condition.
        num_pairs: total number of pairs of different nodes in the same graph, if known.
    """
    if edge_index is None and form.pairs_found:
        if radius is None:
            pairs = complete_pairs(batch, num_graphs, num_pairs=num_pairs)
        else:
            pairs = radius_pairs(pos, radius, batch, num_graphs)
        return PairedEdges(pairs, pairs.shape[1], None)
    if edge_index is None:
        edge_index = (
            complete_graph(batch, num_graphs, num_pairs=num_pairs)
            if radius is None
            else radius_graph(pos, radius, batch, num_graphs)
        )
    elif not isinstance(edge_index, Tensor):
        return as_edges(edge_index)
    else:
        # On an accelerator the search for reverse edges would synchronise.
        searched = form.pairs_given and representation.shares_pairs and not conditioned
        searched = searched and edge_index.device.type == "cpu" and not is_traced()
        paired = pair_edges(edge_index, len(pos)) if searched else None
        if paired is not None:
            return as_edges(paired)
    if form.sorts:
        return SortedEdges(sort_edges(edge_index, pos.shape[0]))
    return DirectedEdges(edge_index)


def neighborhood_geometry(
    representation: Representation,
    form: Form,
    pos: Tensor,
    batch: Tensor,
    edge_index: GivenEdges | None,
    *,
    num_graphs: int,
    radius: float | None,
    lattice: tuple[int, ...] | None,
    condition: Tensor | None,
) -> Geometry:
    """Return the geometry for the edges of `find_edges`, or for a lattice stencil.

    Args:
        representation: representation of the point cloud.
        form: how kernels are evaluated.
        pos: positions.
        batch: graph of each node.
        edge_index: edges, or None.
        num_graphs: number of graphs.
        radius: cutoff, or None.
        lattice: points along each axis, if every graph is a lattice; or None.
        condition: ``[G, condition_channels]``, or None.
    """
    if edge_index is None and form.on_lattice and num_graphs and not pos.requires_grad:
        assert lattice is not None, "the form is that of a lattice"
        return lattice_geometry(representation, pos, batch, lattice, num_graphs, condition)
    edges = find_edges(
        representation, form, pos, batch, edge_index, num_graphs=num_graphs, radius=radius,
        conditioned=condition is not None,
    )  # fmt: skip
    if condition is not None:
        condition = condition.index_select(0, batch)
    return representation.geometry(pos, edges, batch, condition=condition)
