"""Positions only: features on points of R^n."""

from __future__ import annotations

from torch import Tensor

from geozoo.checks import check_lifted
from geozoo.geometry import distance_invariants
from geozoo.nn.conv import PointConv
from geozoo.nn.edges import GivenEdges
from geozoo.nn.representation._base import Geometry, Representation, conditioned, loop_invariants


class PositionRepresentation(Representation):
    """Features on positions with kernels of the distance; scalars only, exactly invariant.

    The position mode of PONITA ("PNITA").

    Args:
        dim: dimension of the positions, 2 or 3.
        hidden_channels: hidden width of the kernel basis.
        basis_channels: number of basis functions.
        degree: degree of the polynomial features.
        radius: cutoff radius; None: no window.
        condition_channels: number of per-node conditioning features of the spatial basis.

    Reference:
        Bekkers et al., ICLR 2024, section 3.1 (R^n).
    """

    shares_pairs = True

    def __init__(
        self,
        dim: int,
        *,
        hidden_channels: int,
        basis_channels: int,
        degree: int,
        radius: float | None,
        condition_channels: int = 0,
    ) -> None:
        super().__init__(
            dim,
            num_invariants=1,
            hidden_channels=hidden_channels,
            basis_channels=basis_channels,
            degree=degree,
            radius=radius,
            condition_channels=condition_channels,
        )

    def geometry(
        self,
        pos: Tensor,
        edge_index: GivenEdges,
        batch: Tensor,
        *,
        pairs: bool = False,
        condition: Tensor | None = None,
    ) -> Geometry:
        """Return basis values and edges; see `Representation.geometry`."""
        edges = self.edges(pos, edge_index, pairs=pairs)
        rel_pos = edges.vectors(pos)
        invariants = conditioned(distance_invariants(rel_pos), condition, edges.receiver)
        basis = self.faded_basis(invariants, rel_pos)
        loop = self.basis(loop_invariants(pos, 1, condition)) if edges.has_loop_rows else None
        neighborhood = {"basis": basis, "edge_index": edges, "loop_basis": loop}
        return Geometry(neighborhood, None, None, pos.shape[0])

    def lift(self, x: Tensor | None, vec: Tensor | None, geometry: Geometry) -> Tensor:
        """Return the scalars.

        Raises:
            ValueError: If there are vectors or no scalars, or a tensor has the wrong shape.
        """
        if vec is not None or x is None:
            raise ValueError(
                'representation "position" needs scalar features x and does not support vec'
            )
        check_lifted(x, None, self.dim, geometry.num_nodes)
        return x

    def project(
        self, features: Tensor, num_scalars: int, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Return the features as scalars, and an empty vector part."""
        return features, features.new_zeros(features.shape[0], 0, self.dim)

    def make_conv(self, channels: int, *, depthwise: bool) -> PointConv:
        """Return a `PointConv`."""
        groups = channels if depthwise else 1
        return PointConv(channels, channels, self.basis_channels, groups=groups)
