"""Directed edges with a weight for each message."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.kernel import Kernel, sum_messages


class WeightedEdges(NamedTuple):
    """Directed edges whose messages are multiplied by weights, such as attention; see `Edges`.

    Attributes:
        edges: the edges.
        weight: ``[E, ...]`` weight of each message; as features without the last axis.
    """

    edges: DirectedEdges
    weight: Float[Tensor, "E ..."]

    @property
    def receiver(self) -> Tensor:
        """Receiver of each edge."""
        return self.edges.receiver

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return self.edges.ends

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return self.edges.axes

    @property
    def has_loop_rows(self) -> bool:
        """False: self-loops are ordinary edges."""
        return False

    @property
    def shift(self) -> Tensor | None:
        """See `Edges.shift`."""
        return self.edges.shift

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "E dim"]:
        """See `Edges.vectors`."""
        return self.edges.vectors(pos)

    def with_shift(self, shift: Tensor) -> WeightedEdges:
        """See `Edges.with_shift`."""
        return self._replace(edges=self.edges.with_shift(shift))

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum weight times kernel times sender features; see `Edges.convolve`."""
        ends = self.edges.sender, self.edges.receiver
        return sum_messages(kernel, x, ends, x.shape[0], self.weight)

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Raise ValueError: a list of edges would lose the weights."""
        raise ValueError("weighted edges cannot be listed without their weights")
