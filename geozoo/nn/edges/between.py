"""Edges between a set of points and a coarser set of some of them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry import edge_vectors
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.kernel import Kernel, sum_messages


class BetweenScales(NamedTuple):
    """Directed edges from one set of points to another, both of them nodes of one graph.

    Features have one row for each sending point, results one for each receiving point. Everything
    else, such as ``receiver`` and positions, refers to the nodes of the graph. See `Edges`.

    Attributes:
        rows: ``[2, E]`` rows of ``sending`` and of ``receiving``.
        sending: ``[S]`` nodes that send.
        receiving: ``[R]`` nodes that receive.
    """

    rows: Int[Tensor, "2 E"]
    sending: Int[Tensor, " S"]
    receiving: Int[Tensor, " R"]

    @property
    def sender(self) -> Int[Tensor, " E"]:
        """Sending node of each edge."""
        return self.sending.index_select(0, self.rows[0])

    @property
    def receiver(self) -> Int[Tensor, " E"]:
        """Receiving node of each edge."""
        return self.receiving.index_select(0, self.rows[1])

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return self.sending, self.receiving

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return "E", (self.rows.shape[1],)

    @property
    def has_loop_rows(self) -> bool:
        """False: the edge from a point to itself is an ordinary edge."""
        return False

    @property
    def shift(self) -> None:
        """None: there are no shifts."""
        return None

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "E dim"]:
        """See `Edges.vectors`."""
        return edge_vectors(pos, self.sender, self.receiver)

    def with_shift(self, shift: Tensor) -> BetweenScales:
        """Raise ValueError; see `Edges.with_shift`."""
        raise ValueError("edges between scales do not support shifts, which periodic graphs have")

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Return one row for each receiving point; see `Edges.convolve`."""
        source, target = self.rows
        return sum_messages(kernel, x, (source, target), self.receiving.shape[0])

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Raise ValueError: features do not have one row for each node."""
        raise ValueError("edges between scales cannot be listed as edges of one set of points")

    def reversed(self) -> BetweenScales:
        """Return the edges with senders and receivers exchanged."""
        return BetweenScales(self.rows.flip(0), self.receiving, self.sending)
