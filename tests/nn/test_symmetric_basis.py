"""The equivariant polynomials of steerable features: complete, orthonormal, equivariant, fixed."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from e3nn import o3

from geozoo.nn import SymmetricContraction
from geozoo.nn.steerable import equivariant_polynomials


def multiplicity(degree: int, target: int, order: int) -> float:
    """How often a degree occurs in the symmetric powers of the features, by characters."""
    angle = (torch.arange(4000, dtype=torch.float64) + 0.5) * math.pi / 4000
    measure = (1 - angle.cos()) / 4000

    def character(kind: int, times: int) -> torch.Tensor:
        return sum(torch.cos(m * times * angle) for m in range(-kind, kind + 1))

    total = 0.0
    for sign in (1, -1):  # rotations, and rotations with inversion

        def trace(times: int, sign: int = sign) -> torch.Tensor:
            return sum(sign ** (n * times) * character(n, times) for n in range(degree + 1))

        a, b, c, d = (trace(times) for times in (1, 2, 3, 4))
        power = {
            1: a, 2: (a**2 + b) / 2, 3: (a**3 + 3 * a * b + 2 * c) / 6,
            4: (a**4 + 6 * a**2 * b + 3 * b**2 + 8 * a * c + 6 * d) / 24,
        }[order]  # fmt: skip
        total += 0.5 * float((measure * sign**target * character(target, 1) * power).sum())
    return total


@pytest.mark.parametrize(("degree", "order"), [(3, 1), (3, 2), (3, 3), (2, 4), (1, 4), (0, 3)])
def test_all_independent_polynomials_are_there(degree: int, order: int) -> None:
    for target in range(4):
        found = len(equivariant_polynomials(degree, target, order).coefficients)
        assert found == pytest.approx(multiplicity(degree, target, order), abs=1e-3)


def tensors(degree: int, target: int, order: int) -> torch.Tensor:
    """Symmetric coefficient tensors ``[K, 2 L + 1, D, ..., D]``."""
    monomials, coefficients = equivariant_polynomials(degree, target, order)
    size = (degree + 1) ** 2
    made = torch.zeros(*coefficients.shape[:2], *(size,) * order, dtype=torch.float64)
    for number, row in enumerate(monomials.tolist()):
        made[(slice(None), slice(None), *row)] = coefficients[:, :, number]
    axes = permutations(range(order))
    moved = [made.permute(0, 1, *(2 + axis for axis in each)) for each in axes]
    return sum(moved) / len(moved)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_polynomials_are_orthonormal(target: int) -> None:
    flat = tensors(2, target, 3).flatten(2)
    for component in range(2 * target + 1):
        gram = math.factorial(3) * flat[:, component] @ flat[:, component].T
        torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64))


def test_polynomials_do_not_change() -> None:
    """Their signs and order give the weights of a saved model their meaning."""
    monomials, coefficients = equivariant_polynomials(1, 0, 3)
    assert monomials.tolist() == [[0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 3, 3]]
    unit = 1 / math.sqrt(6)
    expected = torch.tensor([[[unit, 0, 0, 0]], [[0, unit, unit, unit]]], dtype=torch.float64)
    torch.testing.assert_close(coefficients, expected)
    vector = equivariant_polynomials(2, 1, 2)
    assert vector.monomials[0].tolist() == [0, 1] and float(vector.coefficients[0, 0, 0]) == 1.0
    rows, cubic = equivariant_polynomials(3, 1, 3)
    x = torch.arange(1, 17, dtype=torch.float64) / 10
    found = (cubic[:, 0] * x[rows].prod(1)).sum(1)
    assert found.tolist() == pytest.approx(CUBIC, abs=1e-6)


#: First components of the vector polynomials of degrees up to 3 and order 3 at 0.1, ..., 1.6.
CUBIC = [
    0.001414,
    0.006527,
    0.020358,
    0.018341,
    -0.046089,
    0.149669,
    -0.089031,
    0.658519,
    -0.275315,
    0.010626,
    0.752027,
    -0.071798,
]


def test_channels_are_contracted_as_written() -> None:
    torch.manual_seed(0)
    layer = SymmetricContraction(3, 2, 1, correlation=3, attributes=2).double()
    x = torch.randn(4, 9, 3, dtype=torch.float64)
    attribute = torch.rand(4, 2, dtype=torch.float64)
    expected = []
    start = 0
    for target in range(2):
        total = 0
        for order, letters in ((1, "a"), (2, "ab"), (3, "abc")):
            basis = tensors(2, target, order)
            weight = layer.weight[:, start : start + len(basis)]
            start += len(basis)
            inputs = ",".join(f"n{letter}u" for letter in letters)
            equation = f"ns,sku,km{letters},{inputs}->nmu"
            total = total + torch.einsum(equation, attribute, weight, basis, *[x] * order)
        expected.append(total)
    torch.testing.assert_close(layer(x, attribute), torch.cat(expected, 1))


@pytest.fixture
def double():
    """Rotation matrices of e3nn have the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
def test_rotations_are_followed() -> None:
    torch.manual_seed(0)
    layer = SymmetricContraction(2, 3, 2, correlation=3, attributes=1).double()
    x, ones = torch.randn(3, 16, 2, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    matrix = o3.rand_matrix(dtype=torch.float64)
    for sign in (1, -1):
        turn_in, turn_out = (
            o3.Irreps.spherical_harmonics(top).D_from_matrix(sign * matrix) for top in (3, 2)
        )
        turned = layer(torch.einsum("ab,nbu->nau", turn_in, x), ones)
        torch.testing.assert_close(turned, torch.einsum("ab,nbu->nau", turn_out, layer(x, ones)))


def test_degrees_that_no_product_reaches_are_refused() -> None:
    with pytest.raises(ValueError, match="degree_out must be at most degree_in"):
        SymmetricContraction(2, 1, 3, correlation=2, attributes=1)
