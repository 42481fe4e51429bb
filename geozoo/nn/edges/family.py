"""The protocol that all representations of edges implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from geozoo.nn.edges.directed import DirectedEdges
    from geozoo.nn.edges.kernel import Kernel


class Edges(Protocol):
    r"""Senders, receivers and edge vectors of a graph.

    Edges have *rows*, the leading axes of edge vectors, basis values and kernels. A row may belong
    to one edge, to both directions of a pair, or to all edges with the same lattice offset.

    Throughout the library, an edge vector points **from the receiver to the sender**,

    .. math:: r_{ij} = p_j + s_{ij} - p_i

    for the edge j -> i, with the shift :math:`s_{ij}` (zero by default) of the sender's periodic
    image: an integer combination of the cell vectors. Networks use positions only in these
    differences, so a cell enters a network through its edges alone.

    Every implementation is a named tuple, so that compilers and exporters see tensors.
    """

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Node indices of all senders and receivers, in tensors of any shape."""

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """Names and sizes (None: any) of the row axes, for checks and error messages."""

    @property
    def has_loop_rows(self) -> bool:
        """Whether all self-loops share one row instead of being listed."""

    @property
    def shift(self) -> Tensor | None:
        """Shift of the sender of each row ``[rows, dim]``; None: no shift."""

    @property
    def receiver(self) -> Tensor:
        """A receiver of each row (for a pair: of the listed direction)."""

    def vectors(self, pos: Tensor) -> Tensor:
        """Return the edge vector of each row, from the receiver to the sender.

        Args:
            pos: positions ``[N, dim]``.

        Returns:
            ``[rows..., dim]``.

        Raises:
            ValueError: If shifts are not ``[rows, dim]``, or the edges have no vectors.
        """

    def with_shift(self, shift: Tensor) -> Edges:
        """Return the same edges with other shifts ``[rows, dim]``.

        Raises:
            ValueError: If the edges cannot have shifts.
        """

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum kernel times sender features over the neighbours of each receiver.

        Args:
            kernel: the kernel, with basis values for each row.
            x: features ``[N, ..., C]``.

        Returns:
            ``[N, ..., C]``, or ``[N, ..., C_out]`` for a full kernel.
        """

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return the same edges as a list with one row per edge.

        Args:
            num_nodes: number N of nodes.

        Raises:
            ValueError: If the edges cannot be listed.
        """
