"""Factories for the layers of networks on plain points; see `layer_cases`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from e3nn import o3
from layer_cases import EDGES, Case, pointwise, random, units
from torch import nn

import geozoo.nn as layers
from geozoo.ops import scatter

#: Without loops: these layers never see a point as its own neighbour.
PLAIN = EDGES[:, EDGES[0] != EDGES[1]]
COUNT = PLAIN.shape[1]


class Moved(NamedTuple):
    """New features, and how far the points have moved."""

    h: torch.Tensor
    vector: torch.Tensor


class EGNNStep(nn.Module):
    """One layer as a map of positions, features and vectors to named outputs."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.layer = layers.EGNNConv(4, edge_channels=2, num_vectors=1, **options)
        if self.layer.displacement is not None:  # large enough to be seen
            nn.init.normal_(self.layer.displacement[-1].weight)

    def forward(self, pos, x, edge_index, edge_attr, edge_weight, vec):
        h, place = self.layer(
            x, pos, edge_index, edge_attr=edge_attr, edge_weight=edge_weight, vec=vec
        )
        return Moved(h, place - pos)


def egnn(**options: bool) -> Case:
    inputs = {
        "pos": random(5, 3), "x": random(5, 4, seed=1), "edge_index": PLAIN,
        "edge_attr": random(COUNT, 2, seed=2), "edge_weight": random(COUNT, seed=3).sigmoid(),
        "vec": random(5, 1, 3, seed=4),
    }  # fmt: skip
    wrt = ("pos", "x", "edge_attr", "edge_weight", "vec")
    # Where it does not move, vectors are not looked at.
    still = not options.get("moves", True)
    free = {"any_width": ("pos", "vec"), "any_depth": ("vec",)} if still else {}
    return Case(
        lambda: EGNNStep(**options), inputs, wrt, node_inputs=("pos", "x", "vec"),
        edge_inputs=("edge_attr", "edge_weight"), node_outputs=("h", "vector"),
        moves={"reflect": True}, **free,
    )  # fmt: skip


class PaiNNStep(nn.Module):
    """One layer, scalars and vectors side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.PaiNNConv(4, 3)

    def forward(self, x, v, basis, window, direction, edge_index):
        s, v = self.layer(x, v, basis, window, direction, edge_index)
        return torch.cat([s, v.flatten(1)], -1)


def painn() -> Case:
    inputs = {
        "x": random(5, 4), "v": random(5, 3, 4, seed=1), "basis": random(COUNT, 3, seed=2),
        "window": random(COUNT, seed=3).sigmoid(), "direction": units(COUNT, 3),
        "edge_index": PLAIN,
    }  # fmt: skip
    wrt = ("x", "v", "basis", "window", "direction")
    return Case(
        PaiNNStep, inputs, wrt, node_inputs=("x", "v"),
        edge_inputs=("basis", "window", "direction"),
    )  # fmt: skip


class TensorStep(nn.Module):
    """One interaction, the ten components side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.TensorConv(4, 3)

    def forward(self, x, basis, window, edge_index):
        return self.layer(x, basis, window, edge_index).flatten(1)


def tensors(*size: int) -> torch.Tensor:
    """Components of tensors, the matrices without trace."""
    parts = random(*size)
    parts[:, 6] = -parts[:, 4] - parts[:, 5]
    return parts


def tensor_step() -> Case:
    inputs = {
        "x": tensors(5, 10, 4), "basis": random(COUNT, 3, seed=1),
        "window": random(COUNT, seed=2).sigmoid(), "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        TensorStep, inputs, ("x", "basis", "window"), node_inputs=("x",),
        edge_inputs=("basis", "window"),
    )  # fmt: skip


def continuous_filter() -> Case:
    inputs = {
        "x": random(5, 4), "basis": random(COUNT, 3, seed=1),
        "window": random(COUNT, seed=2).sigmoid(), "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        lambda: layers.ContinuousFilterConv(4, 3), inputs, ("x", "basis", "window"),
        edge_inputs=("basis", "window"),
    )  # fmt: skip


class Gated(nn.Module):
    """Scalars and vectors side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.GatedVectors(4, 2, 3)

    def forward(self, x, v):
        s, v = self.layer(x, v)
        return torch.cat([s, v.flatten(1)], -1)


@contextlib.contextmanager
def precise() -> Iterator[None]:
    """Constants of e3nn have the precision in which they were made."""
    former = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(former)


class TensorProductStep(nn.Module):
    """One convolution as a map of positions, scalars and vectors to scalars and vectors."""

    def __init__(self) -> None:
        super().__init__()
        with precise():
            self.layer = layers.TensorProductConv(
                "4x0e+2x1o", "3x0e+1x1o", degree=2, basis_channels=3
            )

    def forward(self, pos, x, vec, basis, window, edge_index):
        arm = pos[edge_index[0]] - pos[edge_index[1]]
        features = torch.cat([x, vec.flatten(1)], -1)
        out = self.layer(features, harmonics(arm), basis, window, edge_index)
        return Moved(out[:, :3], out[:, None, 3:])


class SteerableStep(nn.Module):
    """One map of scalars and vectors, steered by the harmonics of a further vector."""

    def __init__(self, gated: bool) -> None:
        super().__init__()
        with precise():
            self.layer = layers.SteerableLinear(
                "4x0e+2x1o", "1x0e+1x1o+1x2e", "3x0e+1x1o", gated=gated
            )

    def forward(self, x, vec):
        features = torch.cat([x, vec[:, :2].flatten(1)], -1)
        out = self.layer(features, harmonics(vec[:, 2]))
        return Moved(out[:, :3], out[:, None, 3:])


def harmonics(arm: torch.Tensor) -> torch.Tensor:
    return o3.spherical_harmonics([0, 1, 2], arm, normalize=True, normalization="component")


def tensor_product() -> Case:
    inputs = {
        "pos": random(5, 3), "x": random(5, 4, seed=1), "vec": random(5, 2, 3, seed=2),
        "basis": random(COUNT, 3, seed=3), "window": random(COUNT, seed=4).sigmoid(),
        "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        TensorProductStep, inputs, ("pos", "x", "vec", "basis", "window"),
        node_inputs=("pos", "x", "vec"), edge_inputs=("basis", "window"),
        node_outputs=("h", "vector"), moves={"reflect": True}, compiles=False,
        any_width=("pos",), any_depth=("pos", "x", "vec", "edge_index"),  # read by the step itself
    )  # fmt: skip


class PairStep(nn.Module):
    """One product of pair features with environments; the features begin as harmonics."""

    def __init__(self, mixing: str) -> None:
        super().__init__()
        with precise():
            self.layer = layers.PairProduct(
                ["0e", "1o"], ["0e", "1o"], channels=2, degree=2, mixing=mixing
            )

    def forward(self, pos, scale, weight, edge_index):
        y = harmonics(pos[edge_index[0]] - pos[edge_index[1]])
        features = (y[:, :4].unsqueeze(2) * scale.unsqueeze(1)).flatten(1)
        out = self.layer(features, y, weight, edge_index, len(pos))
        out = scatter(out, edge_index[1], len(pos)).unflatten(1, (4, 2))
        return Moved(out[:, 0], out[:, 1:].transpose(1, 2))


def pair_product(mixing: str) -> Case:
    inputs = {
        "pos": random(5, 3), "scale": random(COUNT, 2, seed=1), "weight": random(COUNT, 6, seed=2),
        "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        lambda: PairStep(mixing), inputs, ("pos", "scale", "weight"), node_inputs=("pos",),
        edge_inputs=("scale", "weight"), node_outputs=("h", "vector"), moves={"reflect": True},
        compiles=False, any_width=("pos",), any_depth=("pos", "scale", "edge_index"),
    )  # fmt: skip


def steerable(gated: bool) -> Case:
    return Case(
        lambda: SteerableStep(gated), {"x": random(5, 4), "vec": random(5, 3, 3, seed=1)},
        ("x", "vec"), node_inputs=("x", "vec"), node_outputs=("h", "vector"),
        moves={"reflect": True}, compiles=False, any_depth=("x", "vec"),
    )  # fmt: skip


class DegreesStep(nn.Module):
    """A layer on features up to degree 1, as a map of vectors to vectors."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x, vec, attribute):
        out = self.layer(of_degrees(x, vec), attribute)
        return Moved(out[:, 0], out[:, 1:].transpose(1, 2))


class AtomicStep(nn.Module):
    """The atomic basis as a map of positions, scalars and vectors to scalars and vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.AtomicBasis(2, 1, 1, basis_channels=3, radial_channels=(4,))

    def forward(self, pos, x, vec, basis, window, edge_index):
        arm = pos[edge_index[0]] - pos[edge_index[1]]
        out = self.layer(of_degrees(x, vec), harmonics(arm)[:, :4], basis, window, edge_index)
        return Moved(out[:, 0], out[:, 1:].transpose(1, 2))


def of_degrees(x: torch.Tensor, vec: torch.Tensor) -> torch.Tensor:
    """Scalars ``[N, C]`` and vectors ``[N, C, 3]`` as features ``[N, 4, C]``."""
    return torch.cat([x.unsqueeze(1), vec.transpose(1, 2)], 1)


def degrees(make: Callable[[], nn.Module]) -> Case:
    inputs = {
        "x": random(5, 2), "vec": random(5, 2, 3, seed=1), "attribute": random(5, 3, seed=2),
    }  # fmt: skip
    return Case(
        lambda: DegreesStep(make()), inputs, ("x", "vec", "attribute"),
        node_inputs=("x", "vec", "attribute"), node_outputs=("h", "vector"),
        moves={"reflect": True}, any_width=("x", "vec"), any_depth=("x", "vec"),
        any_size=(("x", 0), ("vec", 0), ("vec", 1)),
    )  # fmt: skip


def atomic_basis() -> Case:
    inputs = {
        "pos": random(5, 3), "x": random(5, 2, seed=1), "vec": random(5, 2, 3, seed=2),
        "basis": random(COUNT, 3, seed=3), "window": random(COUNT, seed=4).sigmoid(),
        "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        AtomicStep, inputs, ("pos", "x", "vec", "basis", "window"),
        node_inputs=("pos", "x", "vec"), edge_inputs=("basis", "window"),
        node_outputs=("h", "vector"), moves={"reflect": True},
        any_width=("pos", "x", "vec"), any_depth=("pos", "x", "vec", "edge_index"),
        any_size=(("vec", 1),),
    )  # fmt: skip


def distances() -> torch.Tensor:
    return random(5).abs() + 0.1


def of_distance(make: Callable[[], nn.Module]) -> Case:
    return pointwise(make, "distance", distances(), any_width=("distance",))


POINT_CASES = {
    "EGNNConv": {
        "plain": egnn, "attention": lambda: egnn(attention=True),
        "still": lambda: egnn(moves=False),
    },
    "PaiNNConv": {"step": painn},
    "TensorConv": {"step": tensor_step},
    "PartwiseLinear": {
        "four": lambda: pointwise(lambda: layers.PartwiseLinear(4, 3), "tensor", tensors(5, 10, 4))
    },
    "GatedVectors": {
        "two": lambda: Case(
            Gated, {"x": random(5, 4), "v": random(5, 3, 4, seed=1)}, ("x", "v"),
            node_inputs=("x", "v"), any_size=(("v", 1),),
        )
    },
    "ContinuousFilterConv": {"step": continuous_filter},
    "TensorProductConv": {"step": tensor_product},
    "PairProduct": {
        mixing: lambda mixing=mixing: pair_product(mixing) for mixing in ("full", "channelwise")
    },
    "SteerableLinear": {"gated": lambda: steerable(True), "plain": lambda: steerable(False)},
    "AtomicBasis": {"step": atomic_basis},
    "DegreewiseLinear": {
        "attributes": lambda: degrees(lambda: layers.DegreewiseLinear(2, 4, 1, attributes=3)),
    },
    "SymmetricContraction": {
        "cubic": lambda: degrees(
            lambda: layers.SymmetricContraction(2, 1, 1, correlation=3, attributes=3)
        ),
    },
    "GaussianBasis": {
        "four": lambda: of_distance(lambda: layers.GaussianBasis(4, 3.0))
    },
    "BesselBasis": {
        "four": lambda: of_distance(lambda: layers.BesselBasis(4, 3.0)),
        "trained": lambda: of_distance(lambda: layers.BesselBasis(4, 3.0, trainable=True)),
    },
    "ExponentialBasis": {
        "four": lambda: of_distance(lambda: layers.ExponentialBasis(4, 3.0))
    },
    "CosineWindow": {
        "three": lambda: of_distance(lambda: layers.CosineWindow(3.0))
    },
    "XplorWindow": {
        "three": lambda: of_distance(lambda: layers.XplorWindow(3.0, 0.5))
    },
}  # fmt: skip
