"""Recurrences in one operation, and sparse graphs, against their equations: any derivative."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import Tensor

from geozoo.models import AGCRN, DCRNN
from geozoo.nn import ChebyshevConv, DiffusionConv, TensorODE
from geozoo.nn.graph import adaptive_polynomials, gated_recurrence
from geozoo.ops import textbook

sparse = importlib.import_module("geozoo.nn.graph._sparse")
NODES, STEPS, WINDOWS, CHANNELS = 5, 3, 2, 2


def random(*shape: int, seed: int = 0, needs_grad: bool = True) -> Tensor:
    drawn = 0.5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()
    return drawn.requires_grad_(needs_grad)


def written(
    inputs: Tensor, state: Tensor, gates: Tensor, candidate: Tensor, graphs: list[Tensor],
    num_hops: int,
) -> Tensor:  # fmt: skip
    """The equations, with the powers of the graphs as matrices."""
    one = torch.eye(NODES, dtype=inputs.dtype)
    powers = [torch.linalg.matrix_power(g, k + 1) for g in graphs for k in range(num_hops)]

    def mapped(h: Tensor, weights: Tensor) -> Tensor:
        every = weights.expand(-1, NODES, -1, -1)
        pairs = zip([one, *powers], every, strict=True)
        return sum(torch.einsum("ij,jbc,ico->ibo", power, h, w) for power, w in pairs)

    states = []
    for given in inputs:
        r, u = torch.sigmoid(given[..., : 2 * CHANNELS] + mapped(state, gates)).chunk(2, -1)
        c = torch.tanh(given[..., 2 * CHANNELS :] + mapped(r * state, candidate))
        state = u * state + (1 - u) * c
        states.append(state)
    return torch.stack(states)


@pytest.mark.parametrize("groups", [1, NODES])
@pytest.mark.parametrize(("num_graphs", "num_hops"), [(0, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("learned", [True, False])
def test_values_and_derivatives_of_a_recurrence(groups, num_graphs, num_hops, learned):
    graphs = [random(NODES, NODES, seed=i, needs_grad=learned) for i in range(num_graphs)]
    order = 1 + num_graphs * num_hops
    given = (
        random(STEPS, NODES, WINDOWS, 3 * CHANNELS, seed=10),
        random(NODES, WINDOWS, CHANNELS, seed=11),
        random(order, groups, CHANNELS, 2 * CHANNELS, seed=12),
        random(order, groups, CHANNELS, CHANNELS, seed=13),
        *graphs,
    )

    def evaluated(*every: Tensor) -> Tensor:
        return gated_recurrence(*every[:4], every[4:], num_hops)

    found, wanted = evaluated(*given), written(*given[:4], graphs, num_hops)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)
    needed = [each for each in given if each.requires_grad]
    direction = random(*found.shape, seed=14, needs_grad=False)
    plain = torch.autograd.grad(found, needed, direction, retain_graph=True)
    slopes = [torch.autograd.grad(v, needed, direction, create_graph=True) for v in (found, wanted)]
    for one, two, three in zip(plain, *slopes, strict=True):
        torch.testing.assert_close(one, three, rtol=0, atol=1e-12)
        torch.testing.assert_close(two, three, rtol=0, atol=1e-12)
    losses = [sum(slope.square().sum() for slope in every) for every in slopes]
    again = [torch.autograd.grad(loss, needed) for loss in losses]
    for one, two in zip(*again, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-11)


def test_only_what_needs_a_gradient_gets_one():
    given = (
        random(STEPS, NODES, WINDOWS, 3 * CHANNELS, needs_grad=False),
        random(NODES, WINDOWS, CHANNELS),
        random(1, 1, CHANNELS, 2 * CHANNELS, needs_grad=False),
        random(1, 1, CHANNELS, CHANNELS),
    )
    (slope,) = torch.autograd.grad(gated_recurrence(*given, []).sum(), given[1])
    (wanted,) = torch.autograd.grad(written(*given, [], 1).sum(), given[1])
    torch.testing.assert_close(slope, wanted, rtol=0, atol=1e-13)
    with torch.no_grad():
        assert not gated_recurrence(*given, []).requires_grad


def test_polynomials_are_those_of_chebyshev():
    graph = random(4, 4, needs_grad=False)
    angles = torch.linalg.eigvals(graph).arccos()
    for order in range(5):
        found = adaptive_polynomials(graph, order)
        assert len(found) == max(order - 1, 0)
        for k, matrix in enumerate(found, 1):
            torch.testing.assert_close(torch.trace(matrix), (k * angles).cos().sum().real)


def roads(num_nodes: int, per_node: int = 2) -> Tensor:
    """A directed graph with few edges."""
    generator = torch.Generator().manual_seed(3)
    graph = torch.zeros(num_nodes, num_nodes).double()
    ends = torch.stack([torch.randperm(num_nodes, generator=generator) for _ in range(per_node)])
    graph[torch.arange(num_nodes).expand_as(ends), ends] = (
        1 + torch.rand(ends.shape, generator=generator).double()
    )
    return graph


SENSORS = 70


def tensor_ode() -> torch.nn.Module:
    return TensorODE(SENSORS, 3, STEPS)


class _OnRoads(torch.nn.Module):
    def __init__(self, conv: DiffusionConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        return self.conv(x, [graph, graph.mT.contiguous()])


LAYERS = {
    "diffusion": lambda: _OnRoads(DiffusionConv(3, 2, num_graphs=2)),
    "chebyshev": lambda: ChebyshevConv(3, 2),
    "tensor_ode": tensor_ode,
}


def slopes_of(model: torch.nn.Module, *given: Tensor) -> list[Tensor]:
    """Value, first and second derivatives along fixed directions."""
    x = given[0].detach().requires_grad_()
    value = model(x, *given[1:])
    needed = [x, *model.parameters()]
    first = torch.autograd.grad(value.sin().sum(), needed, create_graph=True)
    loss = sum(slope.square().sum() for slope in first)
    second = torch.autograd.grad(loss, needed, allow_unused=True, materialize_grads=True)
    return [value, *first, *second]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_on_sparse_graphs_are_their_equations(name):
    torch.manual_seed(0)
    model, graph = LAYERS[name]().double(), roads(SENSORS)
    x = random(WINDOWS, SENSORS, STEPS, 3, needs_grad=False)
    assert sparse.sparse_graph(graph, x) is not None
    found = slopes_of(model, x, graph)
    with textbook():
        assert sparse.sparse_graph(graph, x) is None
        wanted = slopes_of(model, x, graph)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ["dcrnn", "agcrn"])
def test_networks_are_their_equations(kind):
    torch.manual_seed(0)
    if kind == "dcrnn":
        model: torch.nn.Module = DCRNN(
            roads(SENSORS), 2, 4, 3, 24, hidden_channels=3, use_time=False
        )
    else:
        model = AGCRN(SENSORS, 2, 4, 3, hidden_channels=3, embedding_channels=2, order=3)
    model = model.double()
    x = random(WINDOWS, 4, SENSORS, 2, needs_grad=False)
    found = slopes_of(model, x)
    with textbook():
        wanted = slopes_of(model, x)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    with torch.no_grad():
        torch.testing.assert_close(model(x), wanted[0], rtol=0, atol=1e-12)


def test_a_graph_is_converted_once_and_again_after_a_change():
    graph, x = roads(SENSORS), random(1, SENSORS, 2, needs_grad=False)
    first = sparse.sparse_graph(graph, x)
    assert first is not None and sparse.sparse_graph(graph, x) is first
    graph.mul_(2)
    second = sparse.sparse_graph(graph, x)
    assert torch.equal(second.forward.to_dense(), graph)
    assert torch.equal(second.back.to_dense(), graph.mT)


def test_dense_small_learned_or_mixed_graphs_stay_dense():
    x = random(1, SENSORS, 2, needs_grad=False)
    assert sparse.sparse_graph(torch.ones(SENSORS, SENSORS).double(), x) is None
    assert sparse.sparse_graph(roads(10), x) is None
    assert sparse.sparse_graph(roads(SENSORS).requires_grad_(), x) is None
    assert sparse.sparse_graph(roads(SENSORS).float(), x) is None
