"""Written-out gradients of the fusion layers against automatic differentiation."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import Tensor, nn

from geozoo.nn import GatedAggregation, MessageFilter, ResidualUpdate
from geozoo.ops import textbook


def filter_of(width: float, *, signed: bool = False) -> nn.Module:
    layer = MessageFilter(signed=signed)
    nn.init.constant_(layer.clip, width)
    return layer


LAYERS = {
    "filter": (lambda: filter_of(-0.3), 2),
    "signed filter": (lambda: filter_of(0.3, signed=True), 2),
    "filter of negative width": (lambda: filter_of(-0.3, signed=True), 2),
    "two branches": (GatedAggregation, 2),
    "three branches": (GatedAggregation, 3),
    "update": (lambda: ResidualUpdate(4), 2),
    "update without gate": (lambda: ResidualUpdate(4, use_gate=False), 2),
}


def slopes(layer: nn.Module, given: list[Tensor], *, create_graph: bool) -> list[Tensor]:
    needed = [*given, *layer.parameters()]
    value = layer(*given)
    first = torch.autograd.grad(
        value.sin().sum(), needed, create_graph=create_graph, materialize_grads=True
    )
    if not create_graph:
        return [value, *first]
    loss = sum(slope.square().sum() for slope in first)
    return [value, *first, *torch.autograd.grad(loss, needed, materialize_grads=True)]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_blockwise_layers_are_their_equations(name, create_graph, monkeypatch):
    monkeypatch.setattr(importlib.import_module("geozoo.ops.rowwise"), "CHUNK_BYTES", 200)
    torch.manual_seed(0)
    make, branches = LAYERS[name]
    layer = make().double()
    given = [torch.randn(2, 5, 3, 4).double().requires_grad_() for _ in range(branches)]
    found = slopes(layer, given, create_graph=create_graph)
    with textbook():
        wanted = slopes(layer, given, create_graph=create_graph)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_state_on_the_limit_keeps_its_gradient(monkeypatch):
    monkeypatch.setattr(importlib.import_module("geozoo.ops.rowwise"), "CHUNK_BYTES", 1)
    layer = filter_of(1.0)
    state = torch.tensor([-1.0, 1.0, 0.0, 2.0]).view(1, 1, 1, 4).repeat(2, 2, 1, 1)
    state.requires_grad_()
    (slope,) = torch.autograd.grad(layer(state, torch.zeros_like(state)).sum(), state)
    assert slope[0, 0, 0].tolist() == [1.0, 1.0, 1.0, 0.0]
