"""Position-orientation point cloud: edges lifted to points with an orientation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from geozoo.checks import check_lifted
from geozoo.geometry import (
    complete_graph,
    orientation_invariants,
    r2s1_invariants,
    r3s2_invariants,
)
from geozoo.nn.conv import PointConv
from geozoo.nn.edges import DirectedEdges, Edges, GivenEdges
from geozoo.nn.embedding import SplineTerms
from geozoo.nn.representation._base import Geometry, Representation, conditioned
from geozoo.ops import offsets, ragged_arange, safe_norm, scatter

#: Neighbours this close to the line along an orientation, in units of the rounding error of their
#: distance, are on it.
_COLLINEAR = 100


class EdgeLiftedRepresentation(Representation):
    r"""Features on the directed edges of a graph, lifted to points in position-orientation space.

    The edge j -> i becomes a point at :math:`p_i` with orientation
    :math:`(p_j - p_i) / \lVert p_j - p_i \rVert`; self-loops, repeated edges and edges of length 0
    are excluded. Points interact if their nodes are connected by an edge or equal. Exactly
    equivariant. A node without edges has no points, and its outputs are zero.

    Args:
        dim: dimension of the positions, 2 or 3.
        orientation_kind: invariants of a pair of orientations, ``"published"`` or, in 2D,
            ``"se2"``.
        interaction: ``"edges"`` as above; ``"complete"``: all points of a graph interact, as in the
            published QM9 experiment, where covalent bonds are lifted.
        hidden_channels: hidden width of the kernel basis.
        basis_channels: number of basis functions.
        degree: degree of the polynomial features.
        radius: cutoff radius; None: no window.
        condition_channels: number of per-node conditioning features of the spatial basis.

    Reference:
        Bekkers et al., ICLR 2024, section 5 (point clouds in position-orientation space).
    """

    on_lattice = False

    def __init__(
        self,
        dim: int,
        *,
        orientation_kind: Literal["published", "se2"],
        hidden_channels: int,
        basis_channels: int,
        degree: int,
        radius: float | None,
        condition_channels: int = 0,
        interaction: Literal["edges", "complete"] = "edges",
    ) -> None:
        super().__init__(
            dim,
            num_invariants=4 if orientation_kind == "se2" else 3,
            hidden_channels=hidden_channels,
            basis_channels=basis_channels,
            degree=degree,
            radius=radius,
            condition_channels=condition_channels,
        )
        if interaction not in ("edges", "complete"):
            raise ValueError(f'interaction must be "edges" or "complete", got {interaction!r}')
        self.orientation_kind = orientation_kind
        self.interaction = interaction

    def geometry(
        self,
        pos: Tensor,
        edge_index: GivenEdges,
        batch: Tensor,
        *,
        pairs: bool = False,
        condition: Tensor | None = None,
    ) -> Geometry:
        """Return basis values and edges of the lifted points; see `Representation.geometry`."""
        edges = _simple_edges(self.edges(pos, edge_index, pairs=pairs).directed(pos.shape[0]), pos)
        node, rel_pos = edges.receiver, edges.vectors(pos)
        orientation = rel_pos / safe_norm(rel_pos, keepdim=True)
        joined = edges
        if self.interaction == "complete":
            if edges.shift is not None:
                raise ValueError(
                    'interaction="complete" does not support periodic structures, in which an atom '
                    'interacts with any number of images: set interaction="edges"'
                )
            joined = DirectedEdges(complete_graph(batch, self_loops=False))
        point_edges = _point_edges(joined, node, pos.shape[0])
        if condition is not None:
            condition = condition.index_select(0, node)
        basis = self._basis(pos.index_select(0, node), orientation, point_edges, condition)
        neighborhood: dict[str, Tensor | SplineTerms | Edges] = {
            "basis": basis, "edge_index": point_edges,
        }  # fmt: skip
        return Geometry(neighborhood, orientation, node, pos.shape[0])

    def _basis(
        self, pos: Tensor, orientation: Tensor, edges: DirectedEdges, condition: Tensor | None
    ) -> Tensor | SplineTerms:
        rel_pos = edges.vectors(pos)
        receiving = orientation.index_select(0, edges.receiver)
        spatial = r2s1_invariants if self.dim == 2 else _spatial_invariants
        invariants = [
            spatial(rel_pos, receiving),
            orientation_invariants(
                receiving, orientation.index_select(0, edges.sender), self.orientation_kind
            ),
        ]
        together = conditioned(torch.cat(invariants, -1), condition, edges.receiver)
        return self.faded_basis(together, rel_pos)

    def lift(self, x: Tensor | None, vec: Tensor | None, geometry: Geometry) -> Tensor:
        """Return node features at each point: scalars, and vector components along the point.

        Raises:
            ValueError: If there are neither scalars nor vectors, or a tensor has the wrong shape.
        """
        check_lifted(x, vec, self.dim, geometry.num_nodes)
        node, orientation = _points(geometry)
        parts = [] if x is None else [x.index_select(0, node)]
        if vec is not None:
            parts.append((vec.index_select(0, node) @ orientation.unsqueeze(-1)).squeeze(-1))
        return torch.cat(parts, -1)

    def project(
        self, features: Tensor, num_scalars: int, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Return means over the points of each node, of scalars and of f times orientation."""
        node, orientation = _points(geometry)
        scalar = scatter(features[:, :num_scalars], node, geometry.num_nodes, "mean")
        directed = features[:, num_scalars:].unsqueeze(-1) * orientation.unsqueeze(1)
        return scalar, scatter(directed, node, geometry.num_nodes, "mean")

    def make_conv(self, channels: int, *, depthwise: bool) -> PointConv:
        """Return a `PointConv`."""
        groups = channels if depthwise else 1
        return PointConv(channels, channels, self.basis_channels, groups=groups)


def _spatial_invariants(rel_pos: Tensor, orientation: Tensor) -> Tensor:
    """Return `r3s2_invariants`, of which the second has gradient 0 for collinear neighbours.

    Orientations point along edges, and in a crystal neighbours are exactly collinear: the length
    across an orientation is then not zero but a rounding error, whose direction is arbitrary and
    would be a force.
    """
    along, across = r3s2_invariants(rel_pos, orientation).unbind(-1)
    smallest = _COLLINEAR * torch.finfo(rel_pos.dtype).eps * along.detach().abs()
    across = torch.where(across.detach() > smallest, across, across.detach())
    return torch.stack([along, across], -1)


def _points(geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Return node and orientation of each point."""
    node, orientation = geometry.point_nodes, geometry.point_orientations
    assert node is not None and orientation is not None
    return node, orientation


def _simple_edges(edges: DirectedEdges, pos: Tensor) -> DirectedEdges:
    """Drop self-loops, duplicates and edges of length 0; sort by receiver, sender and shift."""
    key = edges.receiver * pos.shape[0] + edges.sender
    if edges.shift is None:
        distinct, group = torch.unique(key, return_inverse=True)
    else:
        rows = torch.cat([key.to(torch.float64).unsqueeze(1), edges.shift.detach().double()], 1)
        distinct, group = torch.unique(rows, dim=0, return_inverse=True)
    # The first edge of each group of duplicates.
    first = group.new_full((distinct.shape[0],), group.shape[0])
    first.scatter_reduce_(0, group, torch.arange(group.shape[0], device=group.device), "amin")
    simple = _chosen(edges, first)
    return _chosen(simple, (simple.vectors(pos.detach()) != 0).any(-1))


def _chosen(edges: DirectedEdges, rows: Tensor) -> DirectedEdges:
    """Some rows of a list of edges, by index or mask."""
    return DirectedEdges(edges.index[:, rows], None if edges.shift is None else edges.shift[rows])


def _point_edges(graph: DirectedEdges, node: Tensor, num_nodes: int) -> DirectedEdges:
    """Connect all points of a to all points of b for each edge a -> b, including self-loops."""
    loops = torch.arange(num_nodes, device=node.device).expand(2, -1)
    sender, receiver = torch.cat([graph.index, loops], 1)
    # A tracer does not know the size of the result of bincount.
    count = node.new_zeros(num_nodes).index_add(0, node, torch.ones_like(node))
    start = offsets(count)[:-1]
    combinations = count[sender] * count[receiver]
    which = torch.arange(combinations.numel(), device=node.device)
    which = which.repeat_interleave(combinations)
    index = ragged_arange(torch.zeros_like(combinations), combinations)
    width = count[sender][which]
    points = torch.stack(
        [start[sender][which] + index % width, start[receiver][which] + index // width]
    )
    if graph.shift is None:
        return DirectedEdges(points)
    none = graph.shift.new_zeros(num_nodes, graph.shift.shape[1])
    return DirectedEdges(points, torch.cat([graph.shift, none]).index_select(0, which))
