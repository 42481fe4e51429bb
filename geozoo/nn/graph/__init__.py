"""Convolutions over the sensors of one graph that all windows share."""

from geozoo.nn.graph.adaptive_graph_conv import AdaptiveGraphConv
from geozoo.nn.graph.chebyshev_conv import ChebyshevConv
from geozoo.nn.graph.diffusion_conv import DiffusionConv

__all__ = ["AdaptiveGraphConv", "ChebyshevConv", "DiffusionConv"]
