"""The geometry of points on a lattice: one kernel row for each step instead of each edge."""

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
    stencil = lattice_stencil(
        pos, batch, shape, num_graphs, radius=representation.window.radius,
        rows_of_each=condition is not None,
    )  # fmt: skip
    if condition is not None:
        condition = condition.index_select(0, batch)
    return representation.geometry(pos, stencil, batch, condition=condition)
