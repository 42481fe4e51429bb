"""sinc and its derivatives, at zero, near it, and far from it."""

import math

import pytest
import sympy
import torch

from geozoo.ops import smooth_sinc

POINTS = [0.0, 1e-12, 1e-6, -1e-3, 0.1, 0.159, 0.16, -0.7, 1.0, 2.5, -7.3]


def derivatives(x: torch.Tensor) -> list[torch.Tensor]:
    """Value and three derivatives at every point."""
    found = [smooth_sinc(x)]
    for _ in range(3):
        found += torch.autograd.grad(found[-1].sum(), x, create_graph=True)
    return found


@pytest.mark.parametrize("point", POINTS)
def test_value_and_three_derivatives(point: float) -> None:
    symbol = sympy.Symbol("x")
    x = torch.tensor([point], dtype=torch.float64, requires_grad=True)
    expression = sympy.sin(sympy.pi * symbol) / (sympy.pi * symbol)
    for order, found in enumerate(derivatives(x)):
        formula = sympy.diff(expression, symbol, order)
        exact = sympy.Float(point, 60)
        right = sympy.limit(formula, symbol, 0) if point == 0 else formula.subs(symbol, exact)
        # Each derivative of the quotient loses digits in proportion to 1 / (pi x).
        assert found.item() == pytest.approx(float(right.evalf(40)), abs=1e-12, rel=1e-12), order


def test_dtype_is_kept_and_float32_matches_rounded_float64() -> None:
    x = torch.linspace(-4.0, 4.0, 201)
    single = smooth_sinc(x)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), smooth_sinc(x.double()), atol=3e-7, rtol=0)
    assert torch.allclose(single, torch.sinc(x), atol=3e-7, rtol=0)


def test_empty_and_huge_arguments() -> None:
    assert smooth_sinc(torch.zeros(0, 3)).shape == (0, 3)
    assert float(smooth_sinc(torch.tensor(1e30)).abs()) < 1 / (math.pi * 1e29)
