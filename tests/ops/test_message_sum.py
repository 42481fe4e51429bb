"""Messages summed block by block equal messages summed at once."""

import importlib

import pytest
import torch
from torch import nn

from geozoo.ops import _blockwise, message_sum, scatter

_module = importlib.import_module("geozoo.ops.message_sum")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_module, "CHUNK_BYTES", 800)
    monkeypatch.setattr(_blockwise, "SMALL_BYTES", 0)


def summed(target, *messages):
    return tuple(scatter(each, target.rows, target.size) for each in messages)


def problem(weights_need_gradients=False):
    torch.manual_seed(0)
    nodes, edges = 7, 61
    index = torch.randint(nodes, (edges,)), torch.randint(nodes, (edges,))
    layer = nn.Linear(3, 4, dtype=torch.float64).requires_grad_(weights_need_gradients)
    sizes = (nodes, 4), (nodes, 4), (edges, 3), (edges,)
    given = [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes]

    def message(sender, receiver, row, window, target):
        one = torch.tanh(sender.taken() * receiver.taken()) * layer(row) * window.unsqueeze(-1)
        return summed(target, one, one.sin().unsqueeze(1) * row.unsqueeze(-1))

    def run(sender, receiver, row, window):
        sums = message_sum(
            message, index, nodes, senders=(sender,), receivers=(receiver,), rows=(row, window),
            weights=layer.parameters(),
        )  # fmt: skip
        return torch.cat([part.flatten(1) for part in sums], -1)

    return run, given, layer


def derivatives(run, given):
    """Values, a gradient without its graph, one with it, and the gradient of that."""
    value = run(*given)
    loss = value.sin().sum()
    first = torch.autograd.grad(loss, given, retain_graph=True)
    again = torch.autograd.grad(loss, given, create_graph=True)
    second = torch.autograd.grad(sum(part.square().sum() for part in again), given)
    return [value, *first, *again, *second]


def test_values_and_derivatives_are_those_of_all_messages_at_once(request):
    run, given, _ = problem()
    expected = derivatives(run, given)
    request.getfixturevalue("small_blocks")
    for found, wanted in zip(derivatives(run, given), expected, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-13)


def test_blocks_bound_the_number_of_edges_at_a_time(small_blocks):
    sizes = []

    def message(x, target):
        sizes.append(len(x.rows))
        return summed(target, x.taken())

    index = torch.arange(100) % 5
    x = torch.randn(5, 10, dtype=torch.float64, requires_grad=True)
    (total,) = message_sum(message, (index, index), 5, senders=(x,))
    torch.autograd.grad(total.sum(), x)
    assert max(sizes) == 16  # the least number
    assert sum(sizes) == 200


def test_weights_in_training_get_their_gradients(small_blocks):
    run, given, layer = problem(weights_need_gradients=True)
    run(*given).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_a_tensor_may_be_given_twice(small_blocks):
    index = torch.arange(60) % 6, torch.arange(60) // 10
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)

    def value(x):
        def message(a, b, target):
            return summed(target, a.taken() * b.taken())

        (total,) = message_sum(message, index, 6, senders=(x,), receivers=(x,))
        return total

    assert torch.autograd.gradcheck(value, x)
    assert torch.autograd.gradgradcheck(value, x)


def test_no_edges(small_blocks):
    none = torch.zeros(0, dtype=torch.int64)

    def message(a, target):
        return summed(target, 2 * a.taken())

    (total,) = message_sum(message, (none, none), 3, senders=(torch.ones(3, 2),))
    assert total.tolist() == [[0.0, 0.0]] * 3


def test_messages_that_do_not_depend_on_an_argument(small_blocks):
    index = torch.arange(60) % 6, torch.arange(60) // 10
    x, row = torch.randn(6, 3, requires_grad=True), torch.randn(60, 3, requires_grad=True)

    def message(a, b, target):
        return summed(target, b, torch.ones_like(a.taken()))

    sums = message_sum(message, index, 6, senders=(x,), rows=(row,))
    by_x, by_row = torch.autograd.grad(sum(s.sum() for s in sums), (x, row), allow_unused=True)
    assert by_x is None or not by_x.any()
    assert torch.equal(by_row, torch.ones_like(row))
