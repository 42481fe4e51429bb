"""Graph convolutions on one sensor graph shared by all windows."""

from geozoo.nn.graph.adaptive_graph_conv import (
    AdaptiveGraphConv,
    AdaptiveWeights,
    adaptive_graph,
    adaptive_polynomials,
)
from geozoo.nn.graph.chebyshev_conv import ChebyshevConv
from geozoo.nn.graph.diffusion_conv import DiffusionConv
from geozoo.nn.graph.gated_recurrence import gated_recurrence, hops, uses_recurrence

__all__ = [
    "AdaptiveGraphConv",
    "AdaptiveWeights",
    "ChebyshevConv",
    "DiffusionConv",
    "adaptive_graph",
    "adaptive_polynomials",
    "gated_recurrence",
    "hops",
    "uses_recurrence",
]
