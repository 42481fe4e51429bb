"""The switch between equations as written and their faster forms."""

import pytest
import torch

from geozoo.ops import (
    gelu,
    gelu_linear,
    is_textbook,
    kernel_sum,
    recomputed,
    rowwise,
    sort_edges,
    textbook,
    weighted_sum,
)
from geozoo.testing import assert_compiles

EDGES = torch.tensor([[0, 1, 2, 2], [1, 0, 1, 2]])


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_switch_is_on_within_and_never_turned_off_by_what_is_inside():
    assert not is_textbook()
    with textbook():
        with textbook(when=False):
            assert is_textbook()
        assert is_textbook()
    assert not is_textbook()
    with pytest.raises(KeyError), textbook():
        raise KeyError
    assert not is_textbook()


OPERATIONS = {
    "gelu": (gelu, [random(5)]),
    "gelu_linear": (gelu_linear, [random(5, 3), random(2, 3, seed=1), random(2, seed=2)]),
    "rowwise": (
        lambda a, b: rowwise(lambda a, b: a * b.sigmoid(), a, b),
        [random(200, 300), random(200, 300, seed=1)],
    ),
    "weighted_sum": (
        lambda w, x: weighted_sum(w, x, [(EDGES[0], EDGES[1]), (EDGES[1, :2], EDGES[0, :2])], 3),
        [random(4, 3), random(3, 3, seed=1)],
    ),
    "kernel_sum": (
        lambda b, w, x: kernel_sum(b, w, x, sort_edges(EDGES, 3)),
        [random(4, 2), random(3, 2, seed=1), random(3, 3, seed=2)],
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_as_written_within(name):
    function, values = OPERATIONS[name]
    given = [value.requires_grad_() for value in values]
    plain, written = function(*given), None
    with textbook():
        written = function(*given)
        assert "Backward" in type(written.grad_fn).__name__
    if name != "kernel_sum":  # what stands in for it where there is no Triton is `weighted_sum`
        own = type(plain.grad_fn).__name__
        assert own.startswith("_") and not type(written.grad_fn).__name__.startswith("_")
    torch.testing.assert_close(plain, written)
    outcomes = []
    for out in (plain, written):
        first = torch.autograd.grad(out.square().sum(), given, create_graph=True)
        total = sum(part.square().sum() for part in first)
        outcomes.append([*first, *torch.autograd.grad(total, given)])
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("as_written", [True, False])
def test_what_is_computed_again_is_computed_in_the_same_form(as_written):
    seen = []

    def step(x):
        seen.append(is_textbook())
        return gelu(x).square()

    x = random(4).requires_grad_()
    with textbook(when=as_written):
        out = recomputed(step, x, keeps_random=False)
    out.sum().backward()
    assert seen == [as_written, as_written]
    (expected,) = torch.autograd.grad(gelu(x).square().sum(), x)
    torch.testing.assert_close(x.grad, expected)


def test_random_numbers_are_drawn_again():
    x = torch.ones(100).requires_grad_()
    out = recomputed(lambda x: torch.nn.functional.dropout(x) * 1, x, keeps_random=True)
    out.sum().backward()
    assert torch.equal(out.detach() == 0, x.grad == 0)


def test_a_compiler_follows_the_switch():
    def both(x):
        with textbook():
            first = gelu(x) if is_textbook() else x
        return first + (x if is_textbook() else gelu(x))

    assert_compiles(both, {"x": random(4)})
