"""The scales of a batch as the layers of Rapidash see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from torch import Tensor

from geozoo.models._point_scales import Scale
from geozoo.nn.edges import BetweenScales, Edges
from geozoo.nn.representation._base import Geometry, Representation
from geozoo.ops import safe_norm


class Place(NamedTuple):
    """One scale of a batch: its points, and what its layers need to know of them."""

    pos: Tensor
    batch: Tensor
    condition: Tensor | None
    representation: Representation
    geometry: Geometry
    kept: Tensor | None
    down: BetweenScales | None

    def between(self, edges: BetweenScales) -> Mapping[str, Any]:
        """Arguments of a convolution along edges to or from the next scale."""
        geometry = self.representation.geometry(
            self.pos, edges, self.batch, condition=self.condition
        )
        return geometry.neighborhood

    def window(self) -> Tensor | None:
        """The window at each edge of the scale, or None without a cutoff."""
        if self.representation.window.radius is None:
            return None
        node, edges = self.geometry.point_nodes, self.geometry.neighborhood["edge_index"]
        pos = self.pos if node is None else self.pos.index_select(0, node)
        window: Tensor = self.representation.window(safe_norm(cast("Edges", edges).vectors(pos)))
        return window


def places_of(
    pos: Tensor,
    batch: Tensor,
    condition: Tensor | None,
    scales: tuple[Scale, ...],
    representation_at: Callable[[int], Representation],
) -> list[Place]:
    """Positions, graphs and geometry of each scale.

    Args:
        pos: positions of all points ``[N, dim]``.
        batch: graph of each point ``[N]``.
        condition: ``[G, condition_channels]``, or None.
        scales: points kept and edges of each scale.
        representation_at: the representation of a scale.
    """
    places = []
    for number, scale in enumerate(scales):
        around = None if condition is None else condition.index_select(0, batch)
        representation = representation_at(number)
        geometry = Geometry({}, None, None, pos.shape[0])
        if scale.edges is not None:
            geometry = representation.geometry(pos, scale.edges, batch, condition=around)
        places.append(Place(pos, batch, around, representation, geometry, scale.kept, scale.down))
        if scale.kept is not None:
            pos, batch = (part.index_select(0, scale.kept) for part in (pos, batch))
    return places
