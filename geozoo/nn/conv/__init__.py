"""Graph convolutions and message passing layers on point clouds."""

from geozoo.nn.conv.attentive_conv import AttentiveConv
from geozoo.nn.conv.bundle_conv import BundleConv
from geozoo.nn.conv.continuous_filter_conv import ContinuousFilterConv
from geozoo.nn.conv.convnext import ConvNeXtBlock
from geozoo.nn.conv.egnn_conv import EGNNConv
from geozoo.nn.conv.fiber_bundle_conv import FiberBundleConv
from geozoo.nn.conv.painn_conv import GatedVectors, PaiNNConv
from geozoo.nn.conv.point_conv import PointConv
from geozoo.nn.conv.tensor_conv import PartwiseLinear, TensorConv
from geozoo.nn.edges import Stencil

__all__ = [
    "AttentiveConv",
    "BundleConv",
    "ContinuousFilterConv",
    "ConvNeXtBlock",
    "EGNNConv",
    "FiberBundleConv",
    "GatedVectors",
    "PaiNNConv",
    "PartwiseLinear",
    "PointConv",
    "Stencil",
    "TensorConv",
]
