"""Layers. They take plain tensors and know nothing of trainers, configurations or files."""

from geozoo.nn.conv import BundleConv, ConvNeXtBlock, FiberBundleConv, PointConv
from geozoo.nn.embedding import KernelBasis, PolynomialFeatures, PolynomialWindow
from geozoo.nn.readout import lift_to_orientations, project_from_orientations
from geozoo.nn.representation import (
    BundleRepresentation,
    EdgeLiftedRepresentation,
    PositionRepresentation,
)

__all__ = [
    "BundleConv",
    "BundleRepresentation",
    "ConvNeXtBlock",
    "EdgeLiftedRepresentation",
    "FiberBundleConv",
    "KernelBasis",
    "PointConv",
    "PolynomialFeatures",
    "PolynomialWindow",
    "PositionRepresentation",
    "lift_to_orientations",
    "project_from_orientations",
]
