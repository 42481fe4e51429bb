"""Frame bundle: the same grid of rotations at every position."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.checks import check_lifted
from geozoo.geometry import frame_invariants, platonic_rotations
from geozoo.nn.conv import FiberBundleConv
from geozoo.nn.edges import GivenEdges
from geozoo.nn.embedding import KernelBasis
from geozoo.nn.readout import lift_to_frames, project_from_frames
from geozoo.nn.representation._base import Geometry, Representation, conditioned

#: Number of rotations -> number of vertices of the polyhedron.
_POLYHEDRA = {12: 4, 24: 6, 60: 12}


class FrameRepresentation(Representation):
    r"""Features ``[N, F, C]`` on SE(3), with the rotation group of a polyhedron as the grid.

    The spatial kernel depends on the edge vector in the receiver's frame, :math:`R^\top r`, the
    fibre kernel on the relative rotation, :math:`R^\top R'`. Unlike orientations, frames
    distinguish mirror images. Exactly equivariant under the rotations of the polyhedron, and up to
    the discretisation under all others.

    Args:
        num_frames: 12 (tetrahedron), 24 (octahedron, cube) or 60 (icosahedron, dodecahedron).
        hidden_channels: hidden width of the kernel bases.
        basis_channels: number of basis functions.
        degree: degree of the polynomial features.
        radius: cutoff radius; None: no window.
        condition_channels: number of per-node conditioning features of the spatial basis.

    Raises:
        ValueError: If ``num_frames`` has another value.

    Reference:
        Bekkers et al., ICLR 2024, section 3 (SE(3) itself as the homogeneous space).
    """

    frames: Tensor

    def __init__(
        self,
        num_frames: int,
        *,
        hidden_channels: int,
        basis_channels: int,
        degree: int,
        radius: float | None,
        condition_channels: int = 0,
    ) -> None:
        if num_frames not in _POLYHEDRA:
            known = ", ".join(map(str, _POLYHEDRA))
            raise ValueError(f"num_frames must be one of {known}, got {num_frames!r}")
        super().__init__(
            3,
            num_invariants=3,
            hidden_channels=hidden_channels,
            basis_channels=basis_channels,
            degree=degree,
            radius=radius,
            condition_channels=condition_channels,
        )
        # Stored in float64 and cast on use, so that `model.double()` has the exact grid.
        self.register_buffer("frames", platonic_rotations(_POLYHEDRA[num_frames]))
        self.fiber_basis = KernelBasis(9, hidden_channels, basis_channels, degree)

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
        grid = self.frames.to(pos.dtype)
        edges = self.edges(pos, edge_index, pairs=pairs)
        rel_pos = edges.vectors(pos)
        # Components along the columns of each frame: R^T r.
        along = torch.einsum("...d,fdk->...fk", rel_pos, grid)
        along = conditioned(along, condition, edges.receiver)
        # Rows: sender frames, columns: receiver frames, as the convolution contracts them.
        fiber = frame_invariants(grid.unsqueeze(0), grid.unsqueeze(1))
        neighborhood = {
            "basis": self.faded_basis(along, rel_pos),
            "edge_index": edges,
            "fiber_basis": self.fiber_basis(fiber),
        }
        return Geometry(neighborhood, None, None, pos.shape[0])

    def width(self, num_scalars: int, num_vectors: int) -> int:
        """Return the number of channels; a vector has three components in a frame."""
        return num_scalars + 3 * num_vectors

    def lift(self, x: Tensor | None, vec: Tensor | None, geometry: Geometry) -> Tensor:
        """Return scalars unchanged, and the components of vectors in each frame.

        Raises:
            ValueError: If there are neither scalars nor vectors, or a tensor has the wrong shape.
        """
        check_lifted(x, vec, self.dim, geometry.num_nodes)
        dtypes = [part.dtype for part in (x, vec) if part is not None]
        return lift_to_frames(x, vec, self.frames.to(dtypes[0]))

    def project(
        self, features: Tensor, num_scalars: int, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Return means over frames of the scalars, and of the vectors in global coordinates.

        Lifting and projecting a vector is the identity.
        """
        return project_from_frames(features, self.frames.to(features.dtype), num_scalars)

    def make_conv(self, channels: int, *, depthwise: bool) -> FiberBundleConv:
        """Return a `FiberBundleConv`."""
        groups = channels if depthwise else 1
        return FiberBundleConv(channels, channels, self.basis_channels, groups=groups)
