"""Blockwise evaluation equals direct evaluation, including all derivatives."""

import importlib

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.ops import rowwise

module = importlib.import_module("geozoo.ops.rowwise")


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def expression(a, b, scale):
    """Combines rows of different widths with a shared scalar."""
    wide = torch.cat([a.sigmoid() * b.sum(-1, keepdim=True), b.square()], -1)
    return scale[0] * wide + scale[1]


@pytest.fixture(params=[1, 100, 300, 10**6], ids=lambda size: f"{size} bytes", autouse=True)
def pieces(request, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(module, "CHUNK_BYTES", request.param)


def test_values_and_derivatives():
    given = random(3, 5, 2), random(3, 5, 3), random(2)

    def evaluated(a, b, scale):
        return rowwise(expression, a, b, shared=(scale,))

    torch.testing.assert_close(evaluated(*given), expression(*given), rtol=1e-13, atol=1e-13)
    assert torch.autograd.gradcheck(evaluated, given)
    assert torch.autograd.gradgradcheck(evaluated, given)


def test_repeated_expanded_and_strided_tensors():
    x, rate = random(2, 7, 4), random(7, 1)

    def evaluated(x, rate):
        wide = rate.unsqueeze(-1).expand(7, 2, 1)
        turned = x.transpose(0, 1)
        return rowwise(lambda a, b, r: a * b.exp() + r, turned, turned, wide)

    assert torch.autograd.gradcheck(evaluated, (x, rate))
    assert torch.autograd.gradgradcheck(evaluated, (x, rate))


def test_constant_arguments_get_no_gradient():
    x, still, unread = random(2, 3), random(2, 3).detach(), random(2, 3)
    out = rowwise(lambda a, b, c: a * b, x, still, unread)
    by_x, by_unread = torch.autograd.grad(
        out.sum(), [x, unread], allow_unused=True, materialize_grads=True
    )
    assert torch.equal(by_x, still)
    assert not by_unread.any()


def test_unused_and_constant_shared_tensors():
    x, read, still, unread = random(2, 3, 4), random(4), random(4).detach(), random(4)
    out = rowwise(lambda a, b, c, d: a * b + c, x, shared=(read, still, unread))
    by_read, by_unread = torch.autograd.grad(
        out.sum(), [read, unread], allow_unused=True, materialize_grads=True
    )
    torch.testing.assert_close(by_read, x.detach().sum((0, 1)))
    assert not by_unread.any()


def test_only_arguments_are_saved_for_backward():
    kept = []
    x = random(4, 5)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        rowwise(lambda a: a.sigmoid().exp().sin(), x)
    if module.CHUNK_BYTES < x.numel() * 8:
        assert [t.data_ptr() for t in kept] == [x.data_ptr()]


def test_compilers_trace_the_expression():
    traced = make_fx(lambda a: rowwise(torch.sigmoid, a))(random(4, 5).detach())
    assert any(node.target is torch.ops.aten.sigmoid.default for node in traced.graph.nodes)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((3, 4), (3, 5)), ((3, 4, 2), (4, 3, 2))])
def test_mismatched_rows_raise(shapes):
    with pytest.raises(ValueError, match="tensors must agree in their first two axes, got"):
        rowwise(torch.add, *(random(*shape) for shape in shapes))
