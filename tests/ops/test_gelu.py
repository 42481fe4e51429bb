"""The GELU with a custom second derivative equals that of torch."""

import math

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional

from geozoo.ops import gelu, gelu_linear


def chain(function, x, order):
    """Values and derivatives of sums of squares up to an order."""
    found = [function(x)]
    for _ in range(order):
        found += torch.autograd.grad(found[-1].square().sum(), x, create_graph=True)
    return found


def test_values_and_three_derivatives():
    x = torch.linspace(-6, 6, 200_001, dtype=torch.float64, requires_grad=True)
    for actual, value in zip(chain(gelu, x, 3), chain(functional.gelu, x, 3), strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-11, atol=1e-11)


def test_second_derivatives_without_create_graph():
    x = torch.randn(7, 40_001, dtype=torch.float64).T.requires_grad_()
    found = []
    for function in (gelu, functional.gelu):
        (slope,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), x)[0])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_gradients_by_finite_differences():
    x = torch.randn(20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gelu, (x,))
    assert torch.autograd.gradgradcheck(gelu, (x,))


def test_gelu_linear_stores_only_its_input():
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    expected = functional.linear(functional.gelu(x), weight, bias)
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        found = gelu_linear(x, weight, bias)
    torch.testing.assert_close(found, expected)
    assert {t.data_ptr() for t in kept} == {x.data_ptr(), weight.data_ptr()}
    for variables in ((x, weight, bias), (x.detach(), weight, None), (x, weight.detach(), None)):
        assert torch.autograd.gradcheck(gelu_linear, variables)
        assert torch.autograd.gradgradcheck(gelu_linear, variables)


def test_compilers_use_the_plain_form():
    x = torch.randn(5, 4, dtype=torch.float64)
    weight, bias = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    traced = make_fx(gelu)(x)
    assert "gelu" in traced.code
    torch.testing.assert_close(traced(x), functional.gelu(x))
    traced = make_fx(gelu_linear)(x, weight, bias)
    assert "gelu" in traced.code
    torch.testing.assert_close(
        traced(x, weight, bias), functional.linear(functional.gelu(x), weight, bias)
    )


def test_mixed_precision_uses_the_plain_form():
    x, weight, bias = torch.randn(5, 4), torch.randn(2, 4), torch.randn(2)
    with torch.autocast("cpu", torch.bfloat16):
        found = gelu_linear(x, weight, bias)
    assert found.dtype == torch.bfloat16
    expected = functional.linear(functional.gelu(x), weight, bias)
    torch.testing.assert_close(found.float(), expected, rtol=2e-2, atol=2e-2)


def test_second_derivative_of_large_inputs():
    x = torch.tensor([-1000.0, -30.0, -13.0, 0.5, 13.0, 30.0, 1000.0], requires_grad=True)
    (slope,) = torch.autograd.grad(gelu(x).sum(), x, create_graph=True)
    (found,) = torch.autograd.grad(slope.sum(), x)
    value = x.detach().double()
    expected = (2 - value**2) * torch.exp(-(value**2) / 2) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-28)
