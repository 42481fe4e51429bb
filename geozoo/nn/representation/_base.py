"""The interface of representations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from geozoo.checks import check_not_negative, check_shape
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.edges import Edges, GivenEdges, as_edges
from geozoo.nn.embedding import KernelBasis, PolynomialWindow, SplineTerms
from geozoo.ops import rowwise, safe_norm, saves_memory


class Geometry(NamedTuple):
    """Quantities of a forward pass that depend on the positions, shared by all layers.

    Attributes:
        neighborhood: keyword arguments of every convolution.
        point_orientations: orientation of each lifted point, ``[P, dim]``, if points have one.
        point_nodes: node of each lifted point, ``[P]``, if points are not nodes.
        num_nodes: number of nodes.
    """

    neighborhood: Mapping[str, Tensor | SplineTerms | Edges | None]
    point_orientations: Tensor | None
    point_nodes: Tensor | None
    num_nodes: int


class Representation(nn.Module):
    """Base of the representations: dimension, kernel basis, window.

    Subclasses define how positions become a `Geometry`, how inputs are lifted to points, how
    features are projected to nodes, and which convolution applies.

    Args:
        dim: dimension of the positions, 2 or 3.
        num_invariants: number of invariants per pair in the spatial basis.
        hidden_channels: hidden width of the kernel basis.
        basis_channels: number of basis functions.
        degree: degree of the polynomial features.
        radius: cutoff radius, in the unit of the positions; None: no window.
        condition_channels: number of per-node conditioning features of the spatial basis.
    """

    #: Whether one kernel row can serve both directions of a pair.
    shares_pairs: bool = False
    #: Whether its convolutions accept a `Stencil`.
    on_lattice: bool = True

    def __init__(
        self,
        dim: int,
        *,
        num_invariants: int,
        hidden_channels: int,
        basis_channels: int,
        degree: int,
        radius: float | None,
        condition_channels: int = 0,
    ) -> None:
        super().__init__()
        if dim not in (2, 3):
            raise ValueError(f"dim must be 2 or 3, got {dim!r}")
        check_not_negative(condition_channels=condition_channels)
        self.dim = dim
        self.basis_channels = basis_channels
        num_invariants += condition_channels
        self.basis = KernelBasis(num_invariants, hidden_channels, basis_channels, degree)
        self.window = PolynomialWindow(radius)

    def geometry(
        self,
        pos: Tensor,
        edge_index: GivenEdges,
        batch: Tensor,
        *,
        pairs: bool = False,
        condition: Tensor | None = None,
    ) -> Geometry:
        """Return basis values and edges for these positions.

        Args:
            pos: positions ``[N, dim]``.
            edge_index: edges ``[2, E]`` with senders in row 0, or undirected pairs ``[2, P]``, or
                edges of `geozoo.nn.edges`.
            batch: graph of each node ``[N]``.
            pairs: whether a plain ``edge_index`` lists undirected pairs, see `as_edges`.
            condition: ``[N, condition_channels]``, equal for all nodes of a graph; pairs use that
                of the receiver. None if ``condition_channels`` is 0.
        """
        raise NotImplementedError

    def edges(self, pos: Tensor, edge_index: GivenEdges, *, pairs: bool = False) -> Edges:
        """Convert an ``edge_index`` to edges, see `geozoo.nn.edges.as_edges`.

        Pairs become directed edges if both directions cannot share a kernel row.

        Raises:
            ValueError: If ``edge_index`` or ``pos`` has the wrong shape.
        """
        check_shape("pos", pos, "N dim", None, self.dim)
        edges = as_edges(edge_index, pairs=pairs)
        if edges.has_loop_rows and not self.shares_pairs:
            return edges.directed(pos.shape[0])
        return edges

    def width(self, num_scalars: int, num_vectors: int) -> int:
        """Return the number of channels of lifted scalars and vectors."""
        return num_scalars + num_vectors

    def fade(self, basis: Tensor | SplineTerms, rel_pos: Tensor) -> Tensor | SplineTerms:
        """Return the basis ``[rows..., ..., K]`` times the window at each row's distance."""
        if self.window.radius is None:
            return basis
        window = self.window(safe_norm(rel_pos))
        if isinstance(basis, SplineTerms):
            return basis.scaled(window)
        return basis * window.view(*window.shape, *[1] * (basis.dim() - window.dim()))

    def faded_basis(self, invariants: Tensor, rel_pos: Tensor) -> Tensor | SplineTerms:
        """Return the basis of the invariants ``[rows..., ..., d]``, faded.

        For large graphs and trained weights, intermediate results are recomputed in the backward
        pass instead of stored (`geozoo.ops.saves_memory`).
        """
        if not isinstance(self.basis, KernelBasis) or invariants.dim() < 3:
            return self.fade(self.basis(invariants), rel_pos)
        width = self.basis.linear_2.out_features
        if not saves_memory(
            invariants, lambda: invariants.shape[:-1].numel() * width, self.basis.parameters()
        ):
            return self.fade(self.basis(invariants), rel_pos)
        more = [1] * (invariants.dim() - rel_pos.dim())
        vectors = rel_pos.reshape(*rel_pos.shape[:-1], *more, -1).expand(*invariants.shape[:-1], -1)

        def faded(rows: Tensor, each: Tensor) -> Tensor:
            basis = self.fade(self.basis(rows), each)
            assert isinstance(basis, Tensor)  # that of a `KernelBasis`
            return basis

        return rowwise(faded, invariants, vectors)

    def lift(self, x: Tensor | None, vec: Tensor | None, geometry: Geometry) -> Tensor:
        """Return the input features ``[points, ..., width(scalars, vectors)]``."""
        raise NotImplementedError

    def project(
        self, features: Tensor, num_scalars: int, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Return scalars ``[N, S]`` and vectors ``[N, V, dim]`` of the nodes."""
        raise NotImplementedError

    def make_conv(self, channels: int, *, depthwise: bool) -> KernelConv:
        """Return a convolution that takes this representation's `Geometry.neighborhood`."""
        raise NotImplementedError


def conditioned(invariants: Tensor, condition: Tensor | None, rows: Tensor) -> Tensor:
    """Return the invariants ``[rows..., ..., d]`` with the condition of each row appended.

    Args:
        invariants: invariants of each row of the edges.
        condition: ``[N, k]``, or None.
        rows: node of each row.
    """
    if condition is None:
        return invariants
    further = condition.index_select(0, rows.flatten())
    middle = invariants.shape[rows.dim() : -1]
    further = further.view(*rows.shape, *[1] * len(middle), -1)
    return torch.cat([invariants, further.expand(*rows.shape, *middle, -1)], -1)


def loop_invariants(pos: Tensor, num_invariants: int, condition: Tensor | None) -> Tensor:
    """Return the invariants of self-loops (r = 0): ``[1, d]``, or ``[N, d]`` with a condition."""
    zero = pos.new_zeros(1, num_invariants)
    if condition is None:
        return zero
    return torch.cat([zero.expand(len(condition), -1), condition], -1)
