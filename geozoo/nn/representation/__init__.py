"""Ways to represent a point cloud: as a bundle of orientations, as lifted edges, as positions."""

from geozoo.nn.representation.bundle import BundleRepresentation
from geozoo.nn.representation.edge_lifted import EdgeLiftedRepresentation
from geozoo.nn.representation.frames import FrameRepresentation
from geozoo.nn.representation.lattice import lattice_geometry
from geozoo.nn.representation.position import PositionRepresentation

__all__ = [
    "BundleRepresentation",
    "EdgeLiftedRepresentation",
    "FrameRepresentation",
    "PositionRepresentation",
    "lattice_geometry",
]
