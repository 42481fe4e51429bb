"""Maps and gates on blocks with their channels last, against the layers of e3nn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from fixed_directions import derivatives
from torch import Tensor

from geozoo.nn.steerable import BlockGate, BlockMap, make_gate
from geozoo.nn.steerable.channels_last import blocks_to_channels_last, sizes_of
from geozoo.ops import textbook

o3 = pytest.importorskip("e3nn.o3")


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def compare(values: Callable[[], Sequence[Tensor]], inputs: Sequence[Tensor]) -> None:
    """The fast form against that of e3nn."""
    with textbook():
        expected = derivatives(values(), inputs)
    for one, other in zip(derivatives(values(), inputs), expected, strict=True):
        size = float(other.detach().abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * (1 + size))


def blocks_of(irreps: str, rows: int = 4) -> list[Tensor]:
    x = torch.randn(rows, o3.Irreps(irreps).dim)
    blocks = blocks_to_channels_last(x, sizes_of(o3.Irreps(irreps)))
    return [block.contiguous().requires_grad_() for block in blocks]


MAPS = {
    "several blocks": ("3x0e+2x1o+2x0e+1x2e", "2x0e+3x1o+2x0e+2x2e"),
    "no source": ("3x0e+2x1o", "2x0e+2x0o+3x1o+1x2e"),
    "only vectors": ("2x1o", "3x1o"),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("adds", [False, True])
def test_linear_maps(name: str, biases: bool, adds: bool) -> None:
    before, after = MAPS[name]
    layer = o3.Linear(before, after, biases=biases)
    if layer.bias_numel:
        torch.nn.init.normal_(layer.bias)
    plan, blocks = BlockMap(layer), blocks_of(before)
    onto = blocks_of(after) if adds else None
    inputs = [*blocks, *(onto or []), *(each for each in layer.parameters() if each.numel())]
    compare(lambda: plan.of_layer(layer, blocks, onto=onto, factor=0.7), inputs)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("count", [1, 3])
def test_products_with_scalars(name: str, count: int) -> None:
    before, after = MAPS[name]
    layer = o3.FullyConnectedTensorProduct(before, f"{count}x0e", after)
    plan, blocks = BlockMap(layer), blocks_of(before)
    attribute = torch.randn(4, count).requires_grad_()
    compare(
        lambda: plan.of_layer(layer, blocks, attribute),
        [*blocks, attribute, *(each for each in layer.parameters() if each.numel())],
    )


def test_products_with_other_features_are_refused() -> None:
    layer = o3.FullyConnectedTensorProduct("2x0e", "1x1o", "2x1o")
    with pytest.raises(ValueError, match="attributes must be even scalars, got 1x1o"):
        BlockMap(layer)


def test_without_rows() -> None:
    layer = o3.Linear("2x0e+2x1o", "3x0e+1x1o")
    found = BlockMap(layer).of_layer(layer, blocks_of("2x0e+2x1o", 0))
    assert [part.shape for part in found] == [(0, 3), (0, 3)]


GATES = {
    "even": "3x0e+2x1o+1x2e", "odd": "3x0e+2x0o+2x1o+1x1e", "order": "2x2e+2x0o+1x1o+3x0e",
    "only vectors": "2x1o", "only odd scalars": "2x0o", "scalars": "3x0e",
}  # fmt: skip


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("activation", [torch.sigmoid, torch.nn.functional.silu])
def test_gates(name: str, activation: Callable[[Tensor], Tensor]) -> None:
    gate = make_gate(GATES[name], None, activation)
    plan, blocks = BlockGate(gate), blocks_of(gate.irreps_in)
    assert plan.is_known
    compare(lambda: plan.apply(blocks, gate), blocks)


def test_other_activations_are_those_of_e3nn() -> None:
    gate = make_gate("3x0e+2x1o", None, torch.tanh)
    plan, blocks = BlockGate(gate), blocks_of(gate.irreps_in)
    assert not plan.is_known
    compare(lambda: plan.apply(blocks, gate), blocks)
