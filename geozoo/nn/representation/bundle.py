"""Position-orientation bundle: the same grid of orientations at every position."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor

from geozoo.checks import check_lifted, check_positive
from geozoo.geometry import (
    SPHERE_GRIDS,
    circle_grid,
    orientation_invariants,
    r2s1_invariants,
    r3s2_invariants,
    sphere_grid,
)
from geozoo.geometry.grids import SphereGrid
from geozoo.nn.conv import BundleConv, FiberBundleConv
from geozoo.nn.edges import Edges, GivenEdges
from geozoo.nn.embedding import KernelBasis, SplineTerms
from geozoo.nn.readout import lift_to_orientations, project_from_orientations
from geozoo.nn.representation._base import Geometry, Representation, conditioned, loop_invariants


class BundleRepresentation(Representation):
    """Features ``[N, O, C]`` on R^2 x S^1 or R^3 x S^2.

    Exactly equivariant under rotations that map the grid to itself, and up to the discretisation of
    the grid under all others.

    Args:
        dim: dimension of the positions, 2 or 3.
        num_orientations: number O of orientations, at least 1.
        grid: kind of grid on the sphere (see `geozoo.geometry.sphere_grid`; ignored on the circle),
            or the grid itself, unit vectors ``[O, dim]``.
        separable: factorise the kernel into a spatial and a fibre kernel (`FiberBundleConv`).
        orientation_kind: invariants of a pair of orientations, ``"published"`` or, in 2D,
            ``"se2"``.
        hidden_channels: hidden width of the kernel bases.
        basis_channels: number of basis functions.
        degree: degree of the polynomial features.
        radius: cutoff radius; None: no window.
        condition_channels: number of per-node conditioning features of the spatial basis.

    Raises:
        ValueError: If the grid does not consist of unit vectors, or has the wrong size.

    Reference:
        Bekkers et al., ICLR 2024, sections 3 and 4.
    """

    orientations: Tensor

    def __init__(
        self,
        dim: int,
        *,
        num_orientations: int,
        grid: str | Tensor,
        separable: bool,
        orientation_kind: Literal["published", "se2"],
        hidden_channels: int,
        basis_channels: int,
        degree: int,
        radius: float | None,
        condition_channels: int = 0,
    ) -> None:
        fiber_invariants = 2 if orientation_kind == "se2" else 1
        super().__init__(
            dim,
            num_invariants=2 if separable else 2 + fiber_invariants,
            hidden_channels=hidden_channels,
            basis_channels=basis_channels,
            degree=degree,
            radius=radius,
            condition_channels=condition_channels,
        )
        points = _make_grid(dim, num_orientations, grid)
        # Stored in float64 and cast on use, so that `model.double()` has the exact grid.
        self.register_buffer("orientations", points.to(torch.float64))
        self.orientation_kind = orientation_kind
        orientation_invariants(points, points, orientation_kind)
        self.separable = separable
        self.on_lattice = separable
        self.shares_pairs = separable and _is_antipodal(points)
        self.fiber_basis = (
            KernelBasis(fiber_invariants, hidden_channels, basis_channels, degree)
            if separable
            else None
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
        grid = self.orientations.to(pos.dtype)
        edges = self.edges(pos, edge_index, pairs=pairs)
        rel_pos = edges.vectors(pos)
        invariants = (r2s1_invariants if self.dim == 2 else r3s2_invariants)(
            rel_pos.unsqueeze(-2), grid
        )
        fiber = orientation_invariants(grid.unsqueeze(1), grid, self.orientation_kind)
        neighborhood: dict[str, Tensor | SplineTerms | Edges | None]
        if self.fiber_basis is None:
            size = (rel_pos.shape[0], grid.shape[0], grid.shape[0], -1)
            both = torch.cat([invariants.unsqueeze(2).expand(size), fiber.expand(size)], -1)
            both = conditioned(both, condition, edges.receiver)
            basis = self.faded_basis(both, rel_pos)
            neighborhood = {"basis": basis, "edge_index": edges}
            return Geometry(neighborhood, None, None, pos.shape[0])
        invariants = conditioned(invariants, condition, edges.receiver)
        neighborhood = {
            "basis": self.faded_basis(invariants, rel_pos),
            "edge_index": edges,
            "fiber_basis": self.fiber_basis(fiber),
            "loop_basis": self._loop_basis(pos, condition) if edges.has_loop_rows else None,
        }
        return Geometry(neighborhood, None, None, pos.shape[0])

    def _loop_basis(self, pos: Tensor, condition: Tensor | None) -> Tensor:
        """Return the basis of self-loops: invariants 0 and window 1 for every orientation."""
        basis = self.basis(loop_invariants(pos, 2, condition))
        return basis if condition is None else basis.unsqueeze(1)

    def lift(self, x: Tensor | None, vec: Tensor | None, geometry: Geometry) -> Tensor:
        """Return `lift_to_orientations` of the inputs on the grid.

        Raises:
            ValueError: If there are neither scalars nor vectors, or a tensor has the wrong shape.
        """
        check_lifted(x, vec, self.dim, geometry.num_nodes)
        dtype = next(part for part in (vec, x) if part is not None).dtype
        return lift_to_orientations(x, vec, self.orientations.to(dtype))

    def project(
        self, features: Tensor, num_scalars: int, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Return `project_from_orientations` of the features."""
        grid = self.orientations.to(features.dtype)
        return project_from_orientations(features, grid, num_scalars)

    def make_conv(self, channels: int, *, depthwise: bool) -> FiberBundleConv | BundleConv:
        """Return a `FiberBundleConv`, or a `BundleConv` if not separable."""
        layer = FiberBundleConv if self.separable else BundleConv
        groups = channels if depthwise else 1
        return layer(channels, channels, self.basis_channels, groups=groups)


def _make_grid(dim: int, num_orientations: int, grid: str | Tensor) -> Tensor:
    check_positive(num_orientations=num_orientations)
    if isinstance(grid, str):
        if grid not in SPHERE_GRIDS:
            raise ValueError(f"grid must be one of {SPHERE_GRIDS}, got {grid!r}")
        if dim == 2:
            return circle_grid(num_orientations)
        return sphere_grid(num_orientations, cast("SphereGrid", grid))
    if grid.shape != (num_orientations, dim):
        raise ValueError(
            f"grid must have shape ({num_orientations}, {dim}), got {tuple(grid.shape)}"
        )
    if not bool(((grid.norm(dim=-1) - 1).abs() < 1e-4).all()):
        raise ValueError("grid must hold unit vectors, got orientations of other norms")
    return grid.detach()


def _is_antipodal(points: Tensor) -> bool:
    half = len(points) // 2
    return len(points) % 2 == 0 and bool((points[:half] + points[half:]).abs().max() < 1e-6)
