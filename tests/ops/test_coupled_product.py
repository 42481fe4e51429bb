"""Products with a table of coefficients equal the sum as written, with all derivatives."""

import importlib

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.geometry import clifford_algebra
from geozoo.ops import Coupling, Term, coupled_product, textbook

module = importlib.import_module("geozoo.ops.coupled_product")
#: Coefficients other than 1, a component of the result without a term, and a path without one.
ODD = Coupling(
    (Term(0, 1, 0, 0, 2.5), Term(1, 0, 2, 0, -1.0), Term(1, 1, 2, 2, -0.25), Term(2, 0, 0, 2, 1.0)),
    (3, 2, 3, 3),
)
CLIFFORD = clifford_algebra(3).coupling
COUPLINGS = {
    "odd": ODD, "clifford": CLIFFORD, "squares": clifford_algebra(3).squares,
    "scaling": clifford_algebra(2).scaling,
}  # fmt: skip


def given(coupling, rows=3):
    left, right, _, paths = coupling.sizes
    shapes = (rows, left, 2), (rows, right, 2), (paths, 2)
    torch.manual_seed(0)
    return [torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in shapes]


def by_loops(x, y, w, coupling):
    table = torch.zeros(*coupling.sizes, dtype=x.dtype)
    for a, b, k, p, value in coupling.terms:
        table[a, b, k, p] += value
    return torch.einsum("nac,nbc,pc,abkp->nkc", x, y, w, table)


@pytest.fixture(params=["compiled", "torch"])
def form(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(module, "is_compiled", lambda *_: False)


@pytest.mark.parametrize("name", COUPLINGS)
def test_values_and_derivatives(form, name):
    coupling = COUPLINGS[name]
    tensors = given(coupling)

    def product(*tensors):
        return coupled_product(*tensors, coupling)

    wanted = by_loops(*tensors, coupling)
    torch.testing.assert_close(product(*tensors), wanted, rtol=0, atol=1e-13)
    with textbook():
        torch.testing.assert_close(product(*tensors), wanted, rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(product, tensors)
    assert torch.autograd.gradgradcheck(product, tensors)


@pytest.mark.parametrize("free", [0, 1, 2])
def test_derivatives_with_constant_arguments(form, free):
    tensors = [each.detach() for each in given(ODD)]

    def product(x):
        return coupled_product(*tensors[:free], x, *tensors[free + 1 :], ODD)

    varied = (tensors[free].requires_grad_(),)
    assert torch.autograd.gradcheck(product, varied)
    assert torch.autograd.gradgradcheck(product, varied)


def test_one_tensor_as_both_operands_and_strided_ones(form):
    x = torch.randn(2, 8, 3, dtype=torch.float64).transpose(0, 2)
    x, w = x.requires_grad_(), torch.ones(20, 2, dtype=torch.float64)
    found = coupled_product(x, x, w, CLIFFORD)
    torch.testing.assert_close(found, by_loops(x, x, w, CLIFFORD))
    assert torch.autograd.gradcheck(lambda x: coupled_product(x, x, w, CLIFFORD), (x,))


def test_no_rows(form):
    x, y, w = given(CLIFFORD, rows=0)
    out = coupled_product(x, y, w, CLIFFORD)
    assert out.shape == (0, 8, 2)
    out.sum().backward()
    assert not w.grad.any()


def test_other_dtypes_are_promoted_as_by_torch(form):
    x, y, w = (each.detach() for each in given(ODD))
    assert coupled_product(x.float(), y, w, ODD).dtype == torch.float64
    single = coupled_product(x.float(), y.float(), w.float(), ODD)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, by_loops(x, y, w, ODD).float())


def test_traced_programs_contain_no_compiled_loop():
    x, y, w = (each.detach() for each in given(ODD))
    traced = make_fx(lambda *each: coupled_product(*each, ODD))(x, y, w)
    torch.testing.assert_close(traced(x, y, w), coupled_product(x, y, w, ODD))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"terms must lie within sizes \(1, 1, 1, 1\), got Term"):
        Coupling((Term(0, 0, 1, 0, 1.0),), (1, 1, 1, 1))
    x, y, w = given(ODD)
    with pytest.raises(ValueError, match=r"weight must have shape \(3, 2\), got \(2, 2\)"):
        coupled_product(x, y, w[:2], ODD)
    with pytest.raises(ValueError, match=r"left must have shape \(3, 3, 2\), got \(3, 2, 2\)"):
        coupled_product(y, y, w, ODD)
