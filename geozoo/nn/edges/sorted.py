"""Edges sorted by receiver and by sender."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo import ops
from geozoo.geometry import edge_vectors
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.kernel import Kernel


class SortedEdges(NamedTuple):
    """Sorted edges, for fused evaluation and summation of kernels; see `Edges`.

    Attributes:
        order: the edges sorted by both ends, see `geozoo.ops.sort_edges`.
        shift: ``[E, dim]`` shift added to the sender's position; None: no shift.
    """

    order: ops.SortedEdges
    shift: Float[Tensor, "E dim"] | None = None

    @property
    def receiver(self) -> Int[Tensor, " E"]:
        """Receiver of each edge."""
        return self.order.target

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return self.order.source, self.order.target

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return "E", (self.order.source.shape[0],)

    @property
    def has_loop_rows(self) -> bool:
        """False: self-loops are ordinary edges."""
        return False

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "E dim"]:
        """See `Edges.vectors`."""
        return edge_vectors(pos, self.order.source, self.order.target, self.shift)

    def with_shift(self, shift: Tensor) -> SortedEdges:
        """See `Edges.with_shift`."""
        return self._replace(shift=shift)

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Use `geozoo.ops.kernel_sum` if the kernel is linear; see `Edges.convolve`."""
        matrix = kernel.matrix
        if matrix is None or not isinstance(kernel.basis, Tensor):
            return self.directed(x.shape[0]).convolve(kernel, x)
        return ops.kernel_sum(kernel.basis, matrix, x, self.order)

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return the edges in their original order."""
        return DirectedEdges(torch.stack([self.order.source, self.order.target]), self.shift)
