"""Layers: functions of plain tensors, independent of trainers, configurations and files."""

from geozoo.nn.attention import RotaryAttention, SensorAttention
from geozoo.nn.clifford import (
    GeometricProduct,
    GradeNorm,
    MultivectorBlock,
    MultivectorConv,
    MultivectorGate,
    MultivectorLinear,
    MultivectorNorm,
)
from geozoo.nn.conv import (
    AttentiveConv,
    BundleConv,
    ContinuousFilterConv,
    ConvNeXtBlock,
    EGNNConv,
    FiberBundleConv,
    GatedVectors,
    PaiNNConv,
    PartwiseLinear,
    PointConv,
    TensorConv,
)
from geozoo.nn.dynamics import (
    EdgeODE,
    GatedAggregation,
    LearnedGraph,
    LocalODE,
    MessageFilter,
    MultiODEBlock,
    NodeODE,
    ODEAblation,
    ODEEquations,
    ResidualUpdate,
    SpatialMask,
    SpatioTemporalBlock,
    TensorODE,
)
from geozoo.nn.embedding import (
    BesselBasis,
    CosineWindow,
    ExponentialBasis,
    GaussianBasis,
    GroupFourier,
    KernelBasis,
    PolynomialFeatures,
    PolynomialWindow,
    XplorWindow,
)
from geozoo.nn.graph import AdaptiveGraphConv, ChebyshevConv, DiffusionConv
from geozoo.nn.group import GroupLinear
from geozoo.nn.readout import (
    lift_to_frames,
    lift_to_orientations,
    project_from_frames,
    project_from_orientations,
)
from geozoo.nn.representation import (
    BundleRepresentation,
    EdgeLiftedRepresentation,
    FrameRepresentation,
    PositionRepresentation,
)
from geozoo.nn.steerable import (
    AtomicBasis,
    DegreewiseLinear,
    PairProduct,
    SteerableLinear,
    SymmetricContraction,
    TensorProductConv,
)
from geozoo.nn.temporal import GatedTemporalConv, TemporalAttention, TemporalConv

__all__ = [
    "AdaptiveGraphConv",
    "AtomicBasis",
    "AttentiveConv",
    "BesselBasis",
    "BundleConv",
    "BundleRepresentation",
    "ChebyshevConv",
    "ContinuousFilterConv",
    "ConvNeXtBlock",
    "CosineWindow",
    "DegreewiseLinear",
    "DiffusionConv",
    "EGNNConv",
    "EdgeLiftedRepresentation",
    "EdgeODE",
    "ExponentialBasis",
    "FiberBundleConv",
    "FrameRepresentation",
    "GatedAggregation",
    "GatedTemporalConv",
    "GatedVectors",
    "GaussianBasis",
    "GeometricProduct",
    "GradeNorm",
    "GroupFourier",
    "GroupLinear",
    "KernelBasis",
    "LearnedGraph",
    "LocalODE",
    "MessageFilter",
    "MultiODEBlock",
    "MultivectorBlock",
    "MultivectorConv",
    "MultivectorGate",
    "MultivectorLinear",
    "MultivectorNorm",
    "NodeODE",
    "ODEAblation",
    "ODEEquations",
    "PaiNNConv",
    "PairProduct",
    "PartwiseLinear",
    "PointConv",
    "PolynomialFeatures",
    "PolynomialWindow",
    "PositionRepresentation",
    "ResidualUpdate",
    "RotaryAttention",
    "SensorAttention",
    "SpatialMask",
    "SpatioTemporalBlock",
    "SteerableLinear",
    "SymmetricContraction",
    "TemporalAttention",
    "TemporalConv",
    "TensorConv",
    "TensorODE",
    "TensorProductConv",
    "XplorWindow",
    "lift_to_frames",
    "lift_to_orientations",
    "project_from_frames",
    "project_from_orientations",
]


def __getattr__(name: str) -> object:
    """Forward classes that earlier versions provided in this package."""
    if name != "LowRankUpdate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings
    from importlib import import_module

    warnings.warn(
        "geozoo.nn.LowRankUpdate has moved to geozoo.tasks.LowRankUpdate",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(import_module("geozoo.tasks"), name)
