"""Sums over edges without stored messages equal the plain form, including all derivatives."""

import importlib

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.ops import textbook, weighted_sum

module = importlib.import_module("geozoo.ops.weighted_sum")
NODES, TARGETS, ROWS = 5, 4, 40


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def routes_of(*lengths):
    return [(torch.randint(NODES, (n,)), torch.randint(TARGETS, (n,))) for n in lengths]


def plain(weight, x, routes, num_targets):
    out = x.new_zeros(num_targets, *x.shape[1:])
    for source, target in routes:
        out = out.index_add(0, target, weight[: len(source)] * x[source])
    return out


@pytest.fixture(
    params=[0, 1, 20, 10**9], ids=["compiled", "smallest blocks", "some blocks", "one block"],
    autouse=True,
)  # fmt: skip
def blocks(request, monkeypatch):
    torch.manual_seed(0)
    if request.param:
        monkeypatch.setattr(module, "is_compiled", lambda *_: False)
        monkeypatch.setattr(module, "CHUNK_BYTES", request.param * 2 * 3 * 8)


@pytest.mark.parametrize("lengths", [(ROWS,), (ROWS, ROWS), (ROWS, 17), (17, ROWS), (3, 0), ()])
@pytest.mark.parametrize("middle", [(), (2,)])
def test_values_and_derivatives(lengths, middle):
    weight, x = random(ROWS, *middle, 3), random(NODES, *middle, 3)
    routes = routes_of(*lengths)

    def summed(weight, x):
        return weighted_sum(weight, x, routes, TARGETS)

    expected = plain(weight, x, routes, TARGETS)
    torch.testing.assert_close(summed(weight, x), expected, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(summed, (weight, x))
    assert torch.autograd.gradgradcheck(summed, (weight, x))


@pytest.mark.parametrize("lengths", [(ROWS, 17), ()])
def test_the_plain_form_gives_the_same(lengths):
    weight, x, routes = random(ROWS, 3), random(NODES, 3).float(), routes_of(*lengths)
    with textbook():
        found = weighted_sum(weight, x, routes, TARGETS)
    torch.testing.assert_close(found, weighted_sum(weight, x, routes, TARGETS))


@pytest.mark.parametrize("constant", ["weight", "x"])
def test_derivatives_with_one_constant_argument(constant):
    given = {"weight": random(ROWS, 3), "x": random(NODES, 3)}
    routes = routes_of(ROWS, 17)
    fixed = given[constant].requires_grad_(False)
    (free,) = (tensor for name, tensor in given.items() if name != constant)

    def summed(free):
        pair = (fixed, free) if constant == "weight" else (free, fixed)
        return weighted_sum(*pair, routes, TARGETS)

    assert torch.autograd.gradcheck(summed, (free,))
    assert torch.autograd.gradgradcheck(summed, (free,))


def test_empty_routes():
    weight, x = random(0, 3), random(0, 3)
    route = [(torch.zeros(0, dtype=torch.int64),) * 2]
    out = weighted_sum(weight, x, route, 2)
    assert out.tolist() == [[0.0] * 3] * 2
    assert torch.autograd.grad(out.sum(), [weight, x])[0].shape == (0, 3)


def test_strided_rows():
    weight = random(ROWS, 6)
    x, routes = random(NODES, 3), routes_of(ROWS)
    found = weighted_sum(weight[:, ::2], x, routes, TARGETS)
    torch.testing.assert_close(found, plain(weight[:, ::2], x, routes, TARGETS))


def test_mixed_precision_is_promoted():
    weight, x = random(ROWS, 3).bfloat16(), random(NODES, 3).float()
    assert weighted_sum(weight, x, routes_of(ROWS), TARGETS).dtype == torch.float32
    gradient = torch.autograd.grad(weighted_sum(weight, x, routes_of(ROWS), TARGETS).sum(), weight)
    assert gradient[0].dtype == torch.bfloat16


def test_tracing_records_plain_operations():
    weight, x, routes = random(ROWS, 2, 3), random(NODES, 2, 3), routes_of(ROWS, 17)

    def summed(weight, x):
        return weighted_sum(weight, x, routes, TARGETS)

    traced = make_fx(summed)(weight, x)
    assert len(traced.graph.nodes) < 30
    torch.testing.assert_close(traced(weight, x), summed(weight, x))


@pytest.mark.parametrize(
    ("shapes", "lengths", "message"),
    [
        (((ROWS, 3), (NODES, 2)), (ROWS,), "weight and x must agree in all axes but the first"),
        (((ROWS, 3), (NODES, 3)), (ROWS + 1,), "a route must have as many sources as targets"),
    ],
)
def test_mismatched_shapes_raise(shapes, lengths, message):
    weight, x = (random(*shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        weighted_sum(weight, x, routes_of(*lengths), TARGETS)


def test_node_indices_out_of_range_raise():
    route = (torch.tensor([NODES]), torch.tensor([0]))
    with pytest.raises(IndexError):
        weighted_sum(random(1, 3), random(NODES, 3), [route], TARGETS)


def test_types_are_promoted_and_routes_are_flat():
    weight, x = torch.ones(2, 3), torch.ones(4, 3, dtype=torch.float64)
    both = torch.tensor([0, 1])
    for one, other in ((weight, x), (weight.double(), x.float())):
        found = weighted_sum(one, other, [(both, both)], 4)
        assert found.dtype == torch.float64 and found.sum() == 6
    for route in ((both[None], both[None]), (both, both[:1])):
        with pytest.raises(ValueError, match="^a route must have as many sources as targets, at"):
            weighted_sum(weight, x, [route], 4)
