"""Steerable linear layers: matrix products and couplings against e3nn's tensor product."""

import copy

import pytest
import torch
from fixed_directions import derivatives

from geozoo.nn.steerable import SteerableLinear
from geozoo.nn.steerable.channels_last import blocks_to_channels_last, sizes_of
from geozoo.ops import textbook
from geozoo.ops.steerable import Rows, Target

pytest.importorskip("e3nn")
INDEX = torch.tensor([2, 0, 1, 1, 3])
OTHER = torch.tensor([0, 0, 3, 1, 2])
TARGET = Target(torch.tensor([1, 1, 0, 2, 1]), 3)
PAIR = "3x0e+2x1o+3x0e+2x1o+2x0e"
CASES = {
    "pair": (PAIR, "1x0e+1x1o", "3x0e+2x1o", {}),
    "degrees": ("2x0e+3x1o+2x2e", "1x0e+1x1o+1x2e", "2x0e+2x1o+3x2e", {}),
    "plain": ("2x0e+3x1o", "1x0e+1x1o", "3x0e+2x1o", {"gated": False}),
    "channels": ("2x0e+3x1o", "2x0e+3x1o", "3x0e+2x1o", {}),
    "odd": ("2x0e+2x0o+3x1o", "1x0e+1x1o+1x1e", "3x0e+2x0o+2x1o+1x1e", {}),
    "order": ("2x0e+1x1o", "1x0e+1x1o", "2x1o+2x0e+3x0e+1x1o+2x2e", {"gated": False}),
    "vectors": ("2x1o", "1x0e+1x1o", "2x1o", {}),
}


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def made(name: str) -> SteerableLinear:
    *irreps, options = CASES[name]
    layer = SteerableLinear(*irreps, **options)
    torch.nn.init.normal_(layer.bias)
    return layer


def compare(one, other):
    for found, expected in zip(one, other, strict=True):
        scale = 1e-12 * (1 + float(expected.detach().abs().max()) if expected.numel() else 1.0)
        torch.testing.assert_close(found, expected, rtol=0, atol=scale)


_LONG = [pytest.param(name, marks=pytest.mark.thorough) for name in CASES if name != "pair"]


@pytest.mark.parametrize("name", ["pair", *_LONG])  # compiling kernels takes seconds
def test_the_product_is_that_of_e3nn(name):
    layer = made(name)
    x = torch.randn(5, layer.irreps_in.dim).requires_grad_()
    attribute = torch.randn(5, layer.irreps_attribute.dim).requires_grad_()
    inputs = [x, attribute, *layer.parameters()]
    with textbook():
        expected = derivatives([layer(x, attribute)], inputs)
    compare(derivatives([layer(x, attribute)], inputs), expected)


@pytest.mark.parametrize(
    ("name", "has_unit"),
    [("pair", True), *(pytest.param(*each, marks=pytest.mark.thorough)
                       for each in (("pair", False), ("plain", True), ("odd", True)))],
)  # fmt: skip
def test_gathered_blocks_and_sums(name, has_unit):
    layer = made(name)
    x = torch.randn(4, layer.irreps_in.dim).requires_grad_()
    own = torch.randn(5, layer.irreps_in.dim).requires_grad_()
    attribute = torch.randn(5, layer.irreps_attribute.dim).requires_grad_()
    window = torch.rand(5, 1).requires_grad_()
    inputs = [x, own, attribute, window, *layer.parameters()]

    def values():
        sizes = sizes_of(layer.irreps_in)
        ends = zip(*(blocks_to_channels_last(part, sizes) for part in (x, own)), strict=True)
        blocks = [
            [Rows(one, INDEX), Rows(one, OTHER), Rows(other)][number % 3]
            for number, (one, other) in enumerate(ends)
        ]
        given = torch.cat([torch.ones(5, 1), attribute[:, 1:]], 1) if has_unit else attribute
        options = {"window": window, "target": TARGET}
        return layer.steer(blocks, given, has_unit=has_unit, **options)

    with textbook():
        expected = derivatives(values(), inputs)
    compare(derivatives(values(), inputs), expected)


def test_states_are_those_of_e3nn():
    layer = made("pair")
    names = {"bias", "gate.mul.weight", "gate.mul.output_mask", "product.weight"}
    assert set(layer.state_dict()) == {*names, "product.output_mask"}
    again = copy.deepcopy(layer)
    x, attribute = torch.randn(3, 20), torch.randn(3, 4)
    torch.testing.assert_close(again(x, attribute), layer(x, attribute), rtol=0, atol=0)


def test_a_layer_compiles():
    layer = made("pair")
    x, attribute = torch.randn(3, 20), torch.randn(3, 4)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, attribute), layer(x, attribute))
    torch.compiler.reset()
