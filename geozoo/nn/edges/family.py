"""What all kinds of edges can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from geozoo.nn.edges.directed import DirectedEdges
    from geozoo.nn.edges.kernel import Kernel


class Edges(Protocol):
    r"""Who sends to whom in a graph, and by which way.

    Edges have *rows*: places of their difference vectors, of basis values and of kernels. A row may
    serve one edge, both directions of a pair, or every edge that is the same step of a lattice.

    The one convention of the whole library: the vector of an edge leads **from the receiver to the
    sender**,

    .. math:: r_{ij} = p_j + s_{ij} - p_i

    for the edge j -> i, with the shift :math:`s_{ij}` (none by default) of the sender's image, such
    as a whole number of lattice vectors of a periodic cell.

    Every kind is a named tuple, so that compilers and exports see tensors.
    """

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Numbers of the nodes at the ends of all edges, in tensors of any shape."""

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """Names of the axes of rows, and their sizes (None: any), for checks and messages."""

    @property
    def has_loop_rows(self) -> bool:
        """Whether self-loops are no rows of their own but have one row together."""

    @property
    def receiver(self) -> Tensor:
        """A node that receives by each row (of a pair: the one to which its vector belongs)."""

    def vectors(self, pos: Tensor) -> Tensor:
        """Return the vector of each row, from the receiver to the sender.

        Args:
            pos: positions ``[N, dim]``.

        Returns:
            ``[rows..., dim]``.

        Raises:
            ValueError: if shifts are not ``[rows, dim]``, or edges have no vectors.
        """

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum kernel times sender features at each receiver.

        Args:
            kernel: the kernel, with a basis value for each row.
            x: features ``[N, ..., C]``.

        Returns:
            ``[N, ..., C]``, or ``[N, ..., C_out]`` for a full kernel.
        """

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return the same edges, one row for each.

        Args:
            num_nodes: number N of nodes.

        Raises:
            ValueError: for edges that cannot be listed.
        """
