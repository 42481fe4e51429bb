"""Convolutions over pairs of points whose kernels are given in a basis."""

from geozoo.nn.conv.bundle_conv import BundleConv
from geozoo.nn.conv.convnext import ConvNeXtBlock
from geozoo.nn.conv.fiber_bundle_conv import FiberBundleConv
from geozoo.nn.conv.point_conv import PointConv
from geozoo.nn.conv.stencil import Stencil

__all__ = ["BundleConv", "ConvNeXtBlock", "FiberBundleConv", "PointConv", "Stencil"]
