"""Neighbour lists of a batch, in the form that the kernels are evaluated in."""

from __future__ import annotations

from torch import Tensor

from geozoo.geometry import (
    NeighborPairs,
    complete_graph,
    complete_pairs,
    neighbor_pairs,
    pair_edges,
)
from geozoo.models._ponita_choices import Form
from geozoo.nn.edges import (
    DirectedEdges,
    Edges,
    GivenEdges,
    PairedEdges,
    SortedEdges,
    as_edges,
    edges_of_pairs,
)
from geozoo.nn.representation import lattice_geometry
from geozoo.nn.representation._base import Geometry, Representation
from geozoo.ops import is_traced, sort_edges


def paired_neighbors(
    pos: Tensor,
    batch: Tensor,
    radius: float | None,
    *,
    num_graphs: int,
    num_pairs: int | None = None,
    cell: Tensor | None = None,
    pbc: Tensor | None = None,
    pairs: NeighborPairs | None = None,
) -> PairedEdges:
    """Return the neighbours of all nodes, each pair once, and a self-loop for each node.

    Args:
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``, sorted.
        radius: cutoff; None: complete graphs.
        num_graphs: number of graphs.
        num_pairs: total number of pairs of different nodes in the same graph, if known.
        cell: lattice vectors ``[G, dim, dim]`` in rows, or None.
        pbc: periodic directions ``[G, dim]``, or None.
        pairs: the neighbour pairs, if they are known already.

    Raises:
        ValueError: If there are periodic graphs and no cutoff.
    """
    if pairs is None and radius is None:
        _check_no_images(pbc)
        pairs = NeighborPairs(complete_pairs(batch, num_graphs, num_pairs=num_pairs), None)
    elif pairs is None:
        assert radius is not None
        pairs = neighbor_pairs(pos.detach(), radius, batch, num_graphs, cell=cell, pbc=pbc)
    return edges_of_pairs(pairs, pos, batch, cell)


def _check_no_images(pbc: Tensor | None) -> None:
    """Reject periodic graphs without a cutoff."""
    if pbc is not None and bool(pbc.any()):
        raise ValueError(
            "radius must be set for periodic structures, in which an atom has any number of "
            "neighbours, got None"
        )


def check_isolated(pbc: Tensor | None, argument: str, instead: str) -> None:
    """Reject periodic graphs for an argument that joins all points of a graph.

    Args:
        pbc: periodic directions ``[G, dim]``, or None.
        argument: the argument of the model.
        instead: the argument to set instead.

    Raises:
        ValueError: If a graph is periodic.
    """
    if pbc is not None and bool(pbc.any()):
        raise ValueError(
            f"{argument} does not support periodic structures, in which an atom interacts with any "
            f"number of images: set {instead}"
        )


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
    cell: Tensor | None = None,
    pbc: Tensor | None = None,
    pairs: NeighborPairs | None = None,
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
        num_pairs: see `paired_neighbors`, as for the remaining arguments.
        cell: lattice vectors, or None.
        pbc: periodic directions, or None.
        pairs: the neighbour pairs, if known.

    Raises:
        ValueError: If there are periodic graphs and no cutoff.
    """
    if pbc is not None and getattr(representation, "interaction", "edges") == "complete":
        check_isolated(pbc, 'interaction="complete"', 'interaction="edges"')
    if edge_index is None and (form.pairs_found or radius is not None or pairs is not None):
        found = paired_neighbors(
            pos, batch, radius,
            num_graphs=num_graphs, num_pairs=num_pairs, cell=cell, pbc=pbc, pairs=pairs,
        )  # fmt: skip
        if form.pairs_found:
            return found
        edges = found.directed(pos.shape[0])
        if form.sorts:
            return SortedEdges(sort_edges(edges.index, pos.shape[0]), edges.shift)
        return edges
    if edge_index is None:
        _check_no_images(pbc)
        edge_index = complete_graph(batch, num_graphs, num_pairs=num_pairs)
    elif not isinstance(edge_index, Tensor):
        return as_edges(edge_index)
    else:
        # On an accelerator the search for reverse edges would synchronise.
        searched = form.pairs_given and representation.shares_pairs and not conditioned
        searched = searched and edge_index.device.type == "cpu" and not is_traced()
        paired = pair_edges(edge_index, pos.shape[0]) if searched else None
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
