"""Representations of a point cloud: orientation bundle, frame bundle, lifted edges, positions."""

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
