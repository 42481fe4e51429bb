"""Factories for the layers on multivectors; see `layer_cases`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from layer_cases import Case, random
from point_layer_cases import COUNT, PLAIN, Moved
from torch import nn

import geozoo.nn as layers
from geozoo.geometry import CliffordAlgebra, embed_grade, geometric_product, grade_squares

#: Channels of all inputs.
WIDTH = 3


def multivectors(
    x: torch.Tensor, vec: torch.Tensor, algebra: CliffordAlgebra
) -> torch.Tensor:  # fmt: skip
    """Scalars ``[N, C]`` and vectors ``[N, C, dim]``, and products of these of all grades."""
    plain = embed_grade(x.unsqueeze(1), 0, algebra)
    first = plain + embed_grade(vec.transpose(1, 2), 1, algebra)
    second = first.roll(1, 2)
    product = geometric_product(first, second, algebra)
    return geometric_product(product, first.roll(2, 2), algebra)


def followed(out: torch.Tensor, algebra: CliffordAlgebra) -> Moved:
    """Scalars with the squares of all higher grades, and the vectors."""
    squares = grade_squares(out, algebra)[:, 2:]
    scalars = torch.cat([out[:, 0], squares.flatten(1)], 1)
    return Moved(scalars, out[:, 1 : 1 + algebra.dim].transpose(1, 2))


class CliffordStep(nn.Module):
    """A layer as a map of scalars and vectors to scalars and vectors."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.layer = make()

    def forward(self, x, vec):
        algebra = self.layer.algebra
        return followed(self.layer(multivectors(x, vec, algebra)), algebra)


class CliffordMessages(nn.Module):
    """Message passing as a map of scalars, vectors and positions to scalars and vectors."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer = layers.MultivectorConv(WIDTH, 2, dim)

    def forward(self, pos, x, vec, edge_attr, window, edge_index):
        arm = pos[edge_index[0]] - pos[edge_index[1]]
        algebra = self.layer.algebra
        out = self.layer(multivectors(x, vec, algebra), edge_attr, arm, window, edge_index)
        return followed(out, algebra)


def step(make: Callable[[int], nn.Module], dim: int = 3) -> Case:
    return Case(
        lambda: CliffordStep(lambda: make(dim)),
        {"x": random(5, WIDTH), "vec": random(5, WIDTH, dim, seed=1)}, ("x", "vec"),
        node_inputs=("x", "vec"), node_outputs=("h", "vector"), moves={"reflect": True},
        any_width=("x", "vec"), any_depth=("x", "vec"), any_size=(("x", 0), ("vec", 0), ("vec", 1)),
    )  # fmt: skip


def messages(dim: int) -> Case:
    inputs = {
        "pos": random(5, dim), "x": random(5, WIDTH, seed=1), "vec": random(5, WIDTH, dim, seed=2),
        "edge_attr": random(COUNT, 2, seed=3), "window": random(COUNT, seed=4).sigmoid(),
        "edge_index": PLAIN,
    }  # fmt: skip
    return Case(
        lambda: CliffordMessages(dim), inputs, ("pos", "x", "vec", "edge_attr", "window"),
        node_inputs=("pos", "x", "vec"), edge_inputs=("edge_attr", "window"),
        node_outputs=("h", "vector"), moves={"reflect": True}, any_width=("pos", "x", "vec"),
        any_depth=("pos", "x", "vec", "edge_index"),
        any_size=(("x", 0), ("vec", 0), ("vec", 1), ("pos", 0)),
    )  # fmt: skip


CLIFFORD_CASES = {
    "MultivectorLinear": {
        "three": lambda: step(lambda dim: layers.MultivectorLinear(WIDTH, 4, dim)),
    },
    "MultivectorGate": {"three": lambda: step(lambda dim: layers.MultivectorGate(WIDTH, dim))},
    "GradeNorm": {"three": lambda: step(lambda dim: layers.GradeNorm(WIDTH, dim))},
    "MultivectorNorm": {"three": lambda: step(lambda dim: layers.MultivectorNorm(WIDTH, dim))},
    "GeometricProduct": {
        "three": lambda: step(lambda dim: layers.GeometricProduct(WIDTH, dim)),
        "two": lambda: step(lambda dim: layers.GeometricProduct(WIDTH, dim), 2),
    },
    "MultivectorBlock": {
        "three": lambda: step(lambda dim: layers.MultivectorBlock(WIDTH, 2, dim)),
    },
    "MultivectorConv": {"three": lambda: messages(3), "two": lambda: messages(2)},
}
