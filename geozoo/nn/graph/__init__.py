"""Graph convolutions on one sensor graph shared by all windows."""

from geozoo.nn.graph.adaptive_graph_conv import AdaptiveGraphConv, AdaptiveWeights, adaptive_graph
from geozoo.nn.graph.chebyshev_conv import ChebyshevConv
from geozoo.nn.graph.diffusion_conv import DiffusionConv

__all__ = [
    "AdaptiveGraphConv",
    "AdaptiveWeights",
    "ChebyshevConv",
    "DiffusionConv",
    "adaptive_graph",
]
