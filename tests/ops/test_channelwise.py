"""Products with one matrix per channel equal the sum as written, with all derivatives."""

import importlib

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.ops import channelwise_product, textbook

module = importlib.import_module("geozoo.ops.channelwise")


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.fixture(params=["compiled", "batched"], autouse=True)
def form(request, monkeypatch):
    torch.manual_seed(0)
    if request.param == "batched":
        monkeypatch.setattr(module, "is_compiled", lambda *_: False)


@pytest.mark.parametrize(("nodes", "rows", "columns"), [(3, 4, 2), (1, 1, 3), (0, 2, 2)])
def test_values_and_derivatives(nodes, rows, columns):
    x, matrix = random(nodes, rows, 3), random(rows, columns, 3)
    expected = torch.einsum("noc,opc->npc", x, matrix)
    torch.testing.assert_close(channelwise_product(x, matrix), expected, rtol=1e-13, atol=1e-13)
    with textbook():
        torch.testing.assert_close(channelwise_product(x, matrix), expected)
    if nodes:
        assert torch.autograd.gradcheck(channelwise_product, (x, matrix))
        assert torch.autograd.gradgradcheck(channelwise_product, (x, matrix))


@pytest.mark.parametrize("constant", [0, 1])
def test_derivatives_with_one_constant_argument(constant):
    given = [random(3, 4, 2), random(4, 2, 2)]
    fixed, free = given[constant].detach(), given[1 - constant]

    def product(free):
        return channelwise_product(*((fixed, free) if constant == 0 else (free, fixed)))

    assert torch.autograd.gradcheck(product, (free,))
    assert torch.autograd.gradgradcheck(product, (free,))


def test_strided_arguments():
    x, matrix = random(2, 3, 4).transpose(0, 1), random(4, 2, 2).transpose(0, 2)
    found = channelwise_product(x, matrix)
    torch.testing.assert_close(found, torch.einsum("noc,opc->npc", x, matrix))


def test_traced_programs_contain_no_compiled_loop():
    x, matrix = torch.randn(2, 3, 4), torch.randn(3, 3, 4)
    traced = make_fx(channelwise_product)(x, matrix)
    torch.testing.assert_close(traced(x, matrix), channelwise_product(x, matrix))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"matrix must have shape \(O, P, C\)"):
        channelwise_product(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))
