"""Who sends to whom in a batch, and in which form the kernels are evaluated."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.geometry import (
    complete_graph,
    complete_pairs,
    pair_edges,
    radius_graph,
    radius_pairs,
)
from geozoo.nn.representation import lattice_geometry
from geozoo.nn.representation._base import Geometry, Representation


def neighborhood_geometry(
    representation: Representation,
    backend: str,
    pos: Tensor,
    batch: Tensor,
    edge_index: Tensor | None,
    *,
    num_graphs: int,
    radius: float | None,
    lattice: tuple[int, ...] | None,
    condition: Tensor | None,
) -> Geometry:
    """Return bases and indices in the fastest of the equal forms that a backend allows.

    Args:
        representation: how positions become points and kernels.
        backend: ``"lattice"``, ``"shared"``, ``"fused"`` or ``"textbook"``, one that the
            representation has.
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``, sorted.
        edge_index: senders and receivers, used as they are; None: every pair within ``radius``.
        num_graphs: number of graphs.
        radius: cut-off; None: every pair of a graph.
        lattice: points along each axis, where every graph is a regular point set.
        condition: ``[G, condition_channels]``, or None.
    """
    if edge_index is not None:
        may_pair = backend in ("lattice", "shared") and condition is None
        paired = _paired_geometry(representation, pos, edge_index, batch) if may_pair else None
        if paired is not None:
            return paired
    elif backend == "lattice" and num_graphs and not pos.requires_grad:
        return lattice_geometry(representation, pos, batch, lattice, num_graphs, condition)
    pairs = edge_index is None and backend == "shared"
    if edge_index is None and radius is None:
        edge_index = (complete_pairs if pairs else complete_graph)(batch, num_graphs)
    elif edge_index is None:
        edge_index = (radius_pairs if pairs else radius_graph)(pos, radius, batch, num_graphs)
    if condition is not None:
        condition = condition.index_select(0, batch)
    return representation.geometry(pos, edge_index, batch, pairs=pairs, condition=condition)


def _paired_geometry(
    representation: Representation, pos: Tensor, edge_index: Tensor, batch: Tensor
) -> Geometry | None:
    """The geometry with one kernel row for an edge and its reverse; None where there is none.

    On an accelerator the search for reversed edges would wait for the device.
    """
    is_dynamic = edge_index.device.type != "cpu" or torch.compiler.is_compiling()
    if is_dynamic or not representation.shares_pairs:
        return None
    paired = pair_edges(edge_index, len(pos))
    if paired is None:
        return None
    geometry = representation.geometry(pos, paired.pairs, batch, pairs=True)
    return geometry._replace(neighborhood={**geometry.neighborhood, "edge_index": paired})
