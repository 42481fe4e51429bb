"""Neural ODEs on sensor graphs, and the layers that combine them."""

from geozoo.nn.dynamics.edge_ode import EdgeODE
from geozoo.nn.dynamics.fusion import GatedAggregation, MessageFilter, ResidualUpdate
from geozoo.nn.dynamics.learned_graph import LearnedGraph
from geozoo.nn.dynamics.local_ode import LocalODE
from geozoo.nn.dynamics.multi_ode_block import MultiODEBlock
from geozoo.nn.dynamics.node_ode import NodeODE
from geozoo.nn.dynamics.ode_options import ODEAblation, ODEEquations
from geozoo.nn.dynamics.spatial_mask import SpatialMask
from geozoo.nn.dynamics.spatio_temporal_block import SpatioTemporalBlock
from geozoo.nn.dynamics.tensor_ode import TensorODE

__all__ = [
    "EdgeODE",
    "GatedAggregation",
    "LearnedGraph",
    "LocalODE",
    "MessageFilter",
    "MultiODEBlock",
    "NodeODE",
    "ODEAblation",
    "ODEEquations",
    "ResidualUpdate",
    "SpatialMask",
    "SpatioTemporalBlock",
    "TensorODE",
]
