"""Directed edges, one row each."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry import edge_vectors
from geozoo.nn.edges.kernel import Kernel, sum_messages


class DirectedEdges(NamedTuple):
    """Directed edges, one row each; see `Edges`.

    Attributes:
        index: ``[2, E]`` senders and receivers.
        shift: ``[E, dim]`` shift added to the sender's position; None: no shift.

    >>> import torch
    >>> edges = DirectedEdges(torch.tensor([[0], [1]]), torch.tensor([[10.0]]))
    >>> edges.vectors(torch.tensor([[1.0], [9.0]]))  # to the periodic image of the sender
    tensor([[2.]])
    """

    index: Int[Tensor, "2 E"]  # type: ignore[assignment]  # hides tuple.index
    shift: Float[Tensor, "E dim"] | None = None

    @property
    def sender(self) -> Int[Tensor, " E"]:
        """Sender of each edge."""
        return self.index[0]

    @property
    def receiver(self) -> Int[Tensor, " E"]:
        """Receiver of each edge."""
        return self.index[1]

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return (self.index,)

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return "E", (self.index.shape[1],)

    @property
    def has_loop_rows(self) -> bool:
        """False: self-loops are ordinary edges."""
        return False

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "E dim"]:
        """See `Edges.vectors`."""
        return edge_vectors(pos, self.sender, self.receiver, self.shift)

    def with_shift(self, shift: Tensor) -> DirectedEdges:
        """See `Edges.with_shift`."""
        return self._replace(shift=shift)

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """See `Edges.convolve`."""
        return sum_messages(kernel, x, (self.sender, self.receiver), x.shape[0])

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return itself."""
        return self
