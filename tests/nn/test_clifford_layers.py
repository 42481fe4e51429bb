"""Layers on multivectors against their equations in loops, and under rotations and reflections."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geozoo.geometry import blade_sign, clifford_algebra
from geozoo.nn import (
    GeometricProduct,
    GradeNorm,
    MultivectorBlock,
    MultivectorConv,
    MultivectorGate,
    MultivectorLinear,
    MultivectorNorm,
)

WIDTH = 3
DIMS = (2, 3)
SMALL = 1e-6
EDGES = torch.tensor([[0, 1, 2, 3, 2], [1, 0, 1, 0, 3]])
MAKE = {
    "linear": lambda dim: MultivectorLinear(WIDTH, 2, dim),
    "gate": lambda dim: MultivectorGate(WIDTH, dim),
    "grade norm": lambda dim: GradeNorm(WIDTH, dim),
    "norm": lambda dim: MultivectorNorm(WIDTH, dim),
    "product": lambda dim: GeometricProduct(WIDTH, dim),
    "block": lambda dim: MultivectorBlock(WIDTH, 2, dim),
}


def built(make, dim):
    torch.manual_seed(0)
    layer = make(dim).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return layer


def drawn(dim, rows=4):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 2**dim, WIDTH, generator=generator, dtype=torch.float64)


def moved(x: Tensor, q: Tensor) -> Tensor:
    """Multivectors [N, B, C] transformed by an orthogonal matrix: minors of the matrix."""
    algebra = clifford_algebra(len(q))
    out = torch.zeros_like(x)
    for a, source in enumerate(algebra.blades):
        for b, target in enumerate(algebra.blades):
            if source.bit_count() == target.bit_count():
                rows, columns = (
                    [k for k in range(len(q)) if blade >> k & 1] for blade in (target, source)
                )
                out[:, b] += torch.det(q[rows][:, columns]) * x[:, a]
    return out


@pytest.mark.parametrize("reflects", [False, True])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("name", MAKE)
def test_all_grades_follow_rotations_and_reflections(name, dim, reflects):
    layer, x = built(MAKE[name], dim), drawn(dim)
    q = torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64))[0]
    if (torch.det(q) < 0) != reflects:
        q[:, 0] = -q[:, 0]
    torch.testing.assert_close(layer(moved(x, q)), moved(layer(x), q), rtol=1e-10, atol=1e-10)


class Written:
    """The equations, component by component."""

    def __init__(self, dim: int) -> None:
        self.algebra = clifford_algebra(dim)
        self.grades = self.algebra.grades

    def linear(self, layer: MultivectorLinear, x: Tensor) -> Tensor:
        """One multivector [B, C]."""
        rows = [layer.maps[grade].weight @ x[k] for k, grade in enumerate(self.grades)]
        if layer.maps[0].bias is not None:
            rows[0] = rows[0] + layer.maps[0].bias
        return torch.stack(rows)

    def square(self, x: Tensor, grade: int) -> Tensor:
        return sum(x[k] ** 2 for k, other in enumerate(self.grades) if other == grade)

    def gate(self, layer: MultivectorGate, x: Tensor) -> Tensor:
        rows = []
        for k, grade in enumerate(self.grades):
            invariant = x[0] if grade == 0 else self.square(x, grade)
            rows.append(
                x[k] / (1 + torch.exp(-layer.slope[grade] * invariant - layer.offset[grade]))
            )
        return torch.stack(rows)

    def grade_norm(self, layer: GradeNorm, x: Tensor) -> Tensor:
        rows = []
        for k, grade in enumerate(self.grades):
            share = 1 / (1 + torch.exp(-layer.mix[grade]))
            length = torch.sqrt(SMALL + self.square(x, grade))
            rows.append(x[k] / (share * (length - 1) + 1))
        return torch.stack(rows)

    def norm(self, layer: MultivectorNorm, x: Tensor) -> Tensor:
        lengths = [torch.sqrt(SMALL + (x[:, c] ** 2).sum()) for c in range(x.shape[1])]
        return layer.scale * x / (sum(lengths) / len(lengths))

    def product(self, layer: GeometricProduct, x: Tensor) -> Tensor:
        y = self.grade_norm(layer.norm, self.linear(layer.right, x))
        out, blades = self.linear(layer.left, x), self.algebra.blades
        for a, left in enumerate(blades):
            for b, right in enumerate(blades):
                k = blades.index(left ^ right)
                path = (self.grades[a], self.grades[b], self.grades[k])
                weight = layer.weight[self.algebra.paths.index(path)]
                part = torch.zeros_like(out)
                part[k] = blade_sign(left, right) * weight * x[a] * y[b]
                out = out + part
        return out / math.sqrt(2)

    def block(self, layer: MultivectorBlock, x: Tensor) -> Tensor:
        x = self.gate(layer.gate, self.linear(layer.linear, x))
        return self.norm(layer.norm, self.product(layer.product, x))

    def conv(self, layer, x, edge_attr, arm, window, edge_index) -> Tensor:
        total = torch.zeros_like(x)
        for e, (j, i) in enumerate(edge_index.T.tolist()):
            a = self.linear(layer.receiver, x[i]) + self.linear(layer.sender, x[j])
            own = torch.zeros_like(a)
            own[0] = layer.edge.weight @ edge_attr[e]
            for k in range(self.algebra.dim):
                own[1 + k] = layer.arrow * arm[e, k]
            m = self.product(layer.product, self.gate(layer.gate, a + own))
            part = torch.zeros_like(total)
            part[i] = window[e] * self.norm(layer.norm, m)
            total = total + part
        both = torch.cat([x, total], -1)
        new = [self.linear(layer.last, self.block(layer.update, each)) for each in both]
        return x + torch.stack(new)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("name", MAKE)
def test_layers_are_their_equations(name, dim):
    layer, x = built(MAKE[name], dim), drawn(dim).requires_grad_()
    written = getattr(Written(dim), name.replace(" ", "_"))
    expected = torch.stack([written(layer, each) for each in x])
    found = layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    weight = torch.randn_like(found)
    first = [
        torch.autograd.grad((y * weight).sin().sum(), x, create_graph=True)[0]
        for y in (found, expected)
    ]
    torch.testing.assert_close(*first, rtol=1e-9, atol=1e-11)
    second = [torch.autograd.grad(g.square().sum(), x)[0] for g in first]
    torch.testing.assert_close(*second, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dim", DIMS)
def test_message_passing_is_its_equation(dim):
    layer, x = built(lambda dim: MultivectorConv(WIDTH, 2, dim), dim), drawn(dim)
    edge_attr, arm = torch.randn(5, 2).double(), torch.randn(5, dim).double()
    given = x, edge_attr, arm, torch.rand(5).double(), EDGES
    torch.testing.assert_close(
        layer(*given), Written(dim).conv(layer, *given), rtol=1e-10, atol=1e-12
    )


def test_a_window_of_zero_removes_an_edge():
    layer, x = built(lambda dim: MultivectorConv(WIDTH, 1, dim), 3), drawn(3)
    edge_attr, arm = torch.randn(5, 1).double(), torch.randn(5, 3).double()
    window = torch.tensor([1.0, 1, 1, 1, 0]).double()
    fewer = layer(x, edge_attr[:4], arm[:4], window[:4], EDGES[:, :4])
    torch.testing.assert_close(layer(x, edge_attr, arm, window, EDGES), fewer)


@pytest.mark.parametrize("name", MAKE)
def test_vanishing_multivectors_have_finite_derivatives(name):
    layer = built(MAKE[name], 3)
    x = torch.zeros(2, 8, WIDTH, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(layer(x).sin().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.square().sum(), x)
    assert grad.isfinite().all()
    assert second.isfinite().all()


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"dim must be one of \(2, 3\), got 4"):
        MultivectorLinear(2, 2, 4)
