"""One tiny factory, or a few, for each public name of `geozoo.nn`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import geozoo.nn as layers
from geozoo.geometry import platonic_rotations
from geozoo.ops import textbook

EDGES = torch.tensor([[0, 1, 2, 3, 0, 1, 4, 3, 2], [1, 0, 1, 3, 3, 2, 2, 4, 2]])
BATCH = torch.zeros(5, dtype=torch.int64)
Form = Callable[[nn.Module], nn.Module]


@dataclasses.dataclass
class Case:
    """A layer, how to make it again, inputs, and which promises apply to it."""

    build: Callable[[], Any]
    inputs: dict[str, Any]
    wrt: tuple[str, ...]
    node_inputs: tuple[str, ...] = ("x",)
    edge_inputs: tuple[str, ...] = ()
    node_outputs: tuple[str, ...] = ("output",)
    moves: dict[str, Any] | None = None  # arguments of assert_equivariant, where geometry enters
    compiles: bool = True  # False where sizes depend on values
    any_width: tuple[str, ...] = ()  # inputs whose last axis may have any size
    any_depth: tuple[str, ...] = ()  # inputs that may have further axes in front
    any_size: tuple[tuple[str, int], ...] = ()  # axes of inputs that may have any size
    twice: bool = True  # False where a fused kernel on the way has no second derivative


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def units(*shape: int) -> Tensor:
    return nn.functional.normalize(random(*shape, seed=9), dim=-1)


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Build in float64, with every parameter drawn, without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make().double()
        for parameter in module.parameters():
            if parameter.dim() < 2:  # biases and layer scales start at a constant
                nn.init.normal_(parameter)
    return module


def convolution(make: Callable[[], nn.Module], fibre: tuple[int, ...], **more: Tensor) -> Case:
    """``fibre``: axes of the basis between edge and basis function."""
    inputs = {
        "x": random(5, *fibre[:1], 4),
        "basis": random(EDGES.shape[1], *fibre, 3, seed=1),
        "edge_index": EDGES,
        **more,
    }
    wrt = tuple(name for name in inputs if name != "edge_index")
    return Case(make, inputs, wrt, edge_inputs=("basis",))


def pointwise(make: Callable[[], Any], name: str, value: Tensor, **more: Any) -> Case:
    return Case(make, {name: value}, (name,), node_inputs=(name,), any_depth=(name,), **more)


class AsWritten(nn.Module):
    """A layer that computes its equations as they are written."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *args: Any, **inputs: Any) -> Any:
        with textbook():
            return self.layer(*args, **inputs)


class Through(nn.Module):
    """A representation from inputs to outputs: lift, one convolution, project."""

    def __init__(self, representation: nn.Module) -> None:
        super().__init__()
        self.representation = representation
        vectors = not isinstance(representation, layers.PositionRepresentation)
        self.conv = representation.make_conv(representation.width(1, int(vectors)), depthwise=True)

    def forward(self, pos, x, edge_index, batch, vec=None):
        geometry = self.representation.geometry(pos, edge_index, batch)
        lifted = self.representation.lift(x, vec, geometry)
        return self.representation.project(self.conv(lifted, **geometry.neighborhood), 1, geometry)


SIZES = {"hidden_channels": 4, "basis_channels": 3, "degree": 2, "radius": 4.0}


def representation(make: Callable[[], nn.Module], *, vectors: bool, **case: Any) -> Case:
    inputs = {"pos": random(5, 3, seed=2), "x": random(5, 1), "edge_index": EDGES, "batch": BATCH}
    if vectors:
        inputs["vec"] = random(5, 1, 3, seed=3)
    moves = {"vector_outputs": ("1",)} | case.pop("moves", {})
    wrt = ("pos", "x", "vec") if vectors else ("pos", "x")
    return Case(lambda: Through(make()), inputs, wrt, wrt, (), ("0", "1"), moves, **case)


def bundle(separable: bool) -> Case:
    return representation(
        lambda: layers.BundleRepresentation(
            3, num_orientations=6, grid="platonic", separable=separable,
            orientation_kind="published", **SIZES,
        ),
        vectors=True,
        moves={"rotations": platonic_rotations(6)[::5]},
    )  # fmt: skip


def point_conv(out: int = 4, **options: int) -> layers.PointConv:
    return layers.PointConv(4, out, 3, **options)


def convnext(**options: float) -> Case:
    return convolution(lambda: layers.ConvNeXtBlock(point_conv(), 4, 4, widening=2, **options), ())


def fiber_conv(form: Form = lambda layer: layer) -> Case:
    return convolution(lambda: form(layers.FiberBundleConv(4, 4, 3)), (3,), **FIBER)


def attentive(make: Callable[[], nn.Module], fibre: tuple[int, ...], **more: Tensor) -> Case:
    case = convolution(lambda: layers.AttentiveConv(make(), 4, 6), fibre, **more)
    case.edge_inputs += ("window",) if "window" in more else ()
    return case


def kernel_basis(form: Form = lambda layer: layer) -> Case:
    return pointwise(lambda: form(layers.KernelBasis(2, 4, 3)), "invariants", random(5, 2))


FIBER = {"fiber_basis": random(3, 3, 3, seed=4)}


CASES: dict[str, dict[str, Callable[[], Case]]] = {
    "PointConv": {
        "depthwise": lambda: convolution(point_conv, ()),
        "textbook": lambda: convolution(lambda: AsWritten(point_conv()), ()),
        "full": lambda: convolution(lambda: point_conv(2, groups=1), ()),
    },
    "FiberBundleConv": {
        "depthwise": fiber_conv,
        "textbook": lambda: fiber_conv(AsWritten),
        "full": lambda: convolution(
            lambda: layers.FiberBundleConv(4, 2, 3, groups=1), (3,), **FIBER
        ),
    },
    "BundleConv": {
        "depthwise": lambda: convolution(lambda: layers.BundleConv(4, 4, 3), (3, 3)),
        "full": lambda: convolution(lambda: layers.BundleConv(4, 2, 3, groups=1), (3, 3)),
    },
    "ConvNeXtBlock": {"plain": convnext, "scaled": lambda: convnext(layer_scale=0.5)},
    "AttentiveConv": {
        "points": lambda: attentive(point_conv, ()),
        "window": lambda: attentive(
            point_conv, (), window=random(EDGES.shape[1], seed=5).sigmoid()
        ),
        "fibre": lambda: attentive(lambda: layers.FiberBundleConv(4, 4, 3), (3,), **FIBER),
    },
    "KernelBasis": {
        "plain": kernel_basis,
        "textbook": lambda: kernel_basis(AsWritten),
    },
    "PolynomialFeatures": {
        "cubic": lambda: pointwise(lambda: layers.PolynomialFeatures(2, 3), "x", random(5, 2))
    },
    "PolynomialWindow": {
        "radius": lambda: pointwise(
            lambda: layers.PolynomialWindow(2.0),
            "distance",
            torch.tensor([0.1, 0.9, 1.5, 1.9, 2.5]).double(),
            any_width=("distance",),
        )
    },
    "lift_to_orientations": {
        "both": lambda: Case(
            lambda: layers.lift_to_orientations,
            {"x": random(5, 2), "vec": random(5, 1, 3, seed=1), "orientations": units(6, 3)},
            ("x", "vec", "orientations"),
            ("x", "vec"),
            moves={"points": (), "vectors": ("vec", "orientations")},
            any_width=("x",),
            any_size=(("vec", 1), ("orientations", 0)),
        )
    },
    "project_from_orientations": {
        "both": lambda: Case(
            lambda: layers.project_from_orientations,
            {"features": random(5, 6, 3), "orientations": units(6, 3), "num_scalars": 2},
            ("features", "orientations"),
            ("features",),
            node_outputs=("0", "1"),
            moves={"points": (), "vectors": ("orientations",), "vector_outputs": ("1",)},
            any_width=("features", "orientations"),
        )
    },
    "BundleRepresentation": {"separable": lambda: bundle(True), "full": lambda: bundle(False)},
    "EdgeLiftedRepresentation": {
        kind: lambda kind=kind: representation(
            lambda: layers.EdgeLiftedRepresentation(
                3, orientation_kind="published", interaction=kind, **SIZES
            ),
            vectors=True,
            compiles=False,
        )
        for kind in ("edges", "complete")
    },
    "FrameRepresentation": {
        "tetrahedron": lambda: representation(
            lambda: layers.FrameRepresentation(12, **SIZES),
            vectors=True,
            moves={"rotations": platonic_rotations(4)[::3]},
        )
    },
    "PositionRepresentation": {
        "plain": lambda: representation(
            lambda: layers.PositionRepresentation(3, **SIZES), vectors=False
        )
    },
}
