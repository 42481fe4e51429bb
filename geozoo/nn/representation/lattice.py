"""The geometry of points on a lattice: one kernel row for each step instead of each edge."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geozoo.geometry import lattice_reach, lattice_steps, stencil_offsets
from geozoo.nn.conv import Stencil
from geozoo.nn.representation._base import Geometry, Representation


def lattice_geometry(
    representation: Representation,
    pos: Tensor,
    batch: Tensor,
    shape: tuple[int, ...],
    num_graphs: int,
    condition: Tensor | None = None,
) -> Geometry:
    """Return the bases of a representation on lattices, with a `Stencil` in place of edges.

    The same as the graph of all points within the window's radius, self-loops included. Positions
    enter through the steps alone, which a few points tell: derivatives by the others are lost.

    Args:
        representation: one of those with `Representation.on_lattice`.
        pos: positions ``[N, dim]`` of the points of all graphs, which may be turned or stretched.
        batch: graph of each point ``[N]``, sorted.
        shape: points along each axis.
        num_graphs: number of graphs, at least 1.
        condition: ``[G, condition_channels]``, or None.

    Raises:
        ValueError: if the points do not lie on such lattices.
    """
    steps = lattice_steps(pos, shape, num_graphs)
    graphs = torch.arange(num_graphs, device=batch.device)
    if not torch.equal(batch, graphs.repeat_interleave(len(pos) // num_graphs)):
        raise ValueError(
            f"batch must give every graph the {math.prod(shape)} points of its lattice"
        )
    reach = lattice_reach(steps, shape, representation.window.radius)
    if condition is None and bool((steps == steps[:1]).all()):
        steps = steps[:1]
    rows = len(steps)
    offsets = stencil_offsets(reach).to(pos)
    # A star per row of kernels: senders at all steps around a receiver.
    senders = (offsets @ steps).flatten(0, 1)
    centres = torch.arange(rows, device=pos.device)
    star = torch.repeat_interleave(centres, len(offsets))
    edge_index = torch.stack([torch.arange(len(senders), device=pos.device), len(senders) + star])
    owner = torch.cat([star, centres])
    geometry = representation.geometry(
        torch.cat([senders, senders.new_zeros(rows, pos.shape[-1])]),
        edge_index,
        owner,
        condition=None if condition is None else condition.index_select(0, owner),
    )
    basis = geometry.neighborhood["basis"].unflatten(0, (rows, len(offsets)))
    stencil = Stencil(tuple(shape), reach)
    neighborhood = {**geometry.neighborhood, "basis": basis, "edge_index": stencil}
    return geometry._replace(neighborhood=neighborhood, num_nodes=len(pos))
