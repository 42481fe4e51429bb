"""Geometry of lattice points: one kernel row per lattice offset instead of per edge."""

from __future__ import annotations

from torch import Tensor

from geozoo.nn.edges import lattice_stencil
from geozoo.nn.representation._base import Geometry, Representation


def lattice_geometry(
    representation: Representation,
    pos: Tensor,
    batch: Tensor,
    shape: tuple[int, ...],
    num_graphs: int,
    condition: Tensor | None = None,
) -> Geometry:
    """Return the geometry of a representation on lattices, with a `Stencil` in place of edges.

    Equivalent to the radius graph within the window, self-loops included. Positions enter only
    through the lattice vectors, computed from a few points; gradients do not reach the others.

    Args:
        representation: a representation with `Representation.on_lattice`.
        pos: positions ``[N, dim]`` of the points of all graphs; lattices may be rotated or
            stretched.
        batch: graph of each point ``[N]``, sorted.
        shape: points along each axis.
        num_graphs: number of graphs, at least 1.
        condition: ``[G, condition_channels]``, or None.

    Raises:
        ValueError: If the points of a graph do not form such a lattice.
    """
    stencil = lattice_stencil(
        pos, batch, shape, num_graphs, radius=representation.window.radius,
        rows_of_each=condition is not None,
    )  # fmt: skip
    if condition is not None:
        condition = condition.index_select(0, batch)
    return representation.geometry(pos, stencil, batch, condition=condition)
