"""Steerable products: the kernels against the equation as written, to third derivatives."""

import pytest
import torch

from geozoo.ops.steerable import (
    ProductPath,
    Rows,
    SteerableProduct,
    Target,
    _compiled,
    coupling,
    steerable_product,
)

pytest.importorskip("e3nn")
needs_numba = pytest.mark.skipif(not _compiled.has_numba(), reason="numba is not installed")
# Two sources of one output, a constant, and channels of the second output that no path fills.
PRODUCT = SteerableProduct(
    (
        ProductPath((0, 1, 1), source=0, x=1, y=1, output=0, out=0, channels=2, x_stride=2,
                    out_stride=2, scale=0.5),
        ProductPath((1, 1, 1), source=1, x=0, y=1, output=0, out=0, channels=2, x_stride=3,
                    out_stride=2, scale=-1.5),
        ProductPath((1, 1, 0), source=1, x=0, y=1, output=1, out=1, channels=3, x_stride=3,
                    out_stride=3, scale=2.0),
        ProductPath((0, 0, 0), source=0, x=0, y=None, output=1, out=0, channels=3, x_stride=3,
                    out_stride=3, scale=0.7),
    ),
    x_widths=(3, 9), y_width=4, out_widths=(6, 4),
)  # fmt: skip
INDEX = torch.tensor([0, 1, 1, 3, 2, 0])
TARGET = Target(torch.tensor([1, 0, 4, 4, 1, 0]), 5)


def given() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((6, 4), (4, 3), (6, 9))
    ]


def product(y, one, other, target, backend):
    sources = [Rows(one, INDEX), Rows(other)]
    return steerable_product(sources, y, PRODUCT, target=target, backend=backend)


def derivatives(target: Target | None, backend: str, wanted: list[int]) -> list[torch.Tensor]:
    """Values and derivatives to third order, along fixed directions."""
    inputs = given()
    values = product(*inputs, target, backend)
    chosen = [inputs[number] for number in wanted]
    found, total = list(values), sum(value.square().sum() for value in values)
    for _ in range(3):
        grads = torch.autograd.grad(total, chosen, create_graph=True)
        found += grads
        total = sum(((grad + 0.1) * grad.detach().roll(1, 0)).square().sum() for grad in grads)
    return found


@needs_numba
@pytest.mark.parametrize("target", [None, TARGET], ids=["rows", "sums"])
@pytest.mark.parametrize("wanted", [[0, 1, 2], [0], [1], [2], [0, 2]])
def test_kernels_give_the_equation_and_its_derivatives(target, wanted):
    found, expected = (derivatives(target, each, wanted) for each in ("numba", "torch"))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(
            one, other, rtol=1e-12, atol=1e-12 * float(other.detach().abs().max())
        )


@needs_numba
def test_an_output_without_gradient():
    found = []
    for backend in ("numba", "torch"):
        inputs = given()
        vectors, _ = product(*inputs, None, backend)
        (force,) = torch.autograd.grad(vectors.square().sum(), inputs[0], create_graph=True)
        found.append(torch.autograd.grad(force.square().sum(), inputs))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_the_equation_is_that_of_the_paths(backend):
    y, one, other = (each.detach() for each in given())
    vectors, mixed = product(y, one, other, None, backend)
    for row in range(6):
        x, z, direction = one[INDEX[row]], other[row].view(3, 3), y[row, 1:]
        across = torch.einsum("abc,au,b->cu", coupling((1, 1, 1)), z[:, :2], direction)
        expected = 0.5 * direction[:, None] * x[None, 1:] / 3**0.5 - 1.5 * across
        torch.testing.assert_close(vectors[row].view(3, 2), expected)
        scalars = torch.zeros(4, dtype=torch.float64)
        scalars[1:] += 2 * direction @ z / 3**0.5
        scalars[:3] += 0.7 * x
        torch.testing.assert_close(mixed[row], scalars)
    sums = product(y, one, other, TARGET, backend)
    for total, rows in zip(sums, (vectors, mixed), strict=True):
        expected = torch.zeros(5, rows.shape[1]).double().index_add(0, TARGET.rows, rows)
        torch.testing.assert_close(total, expected)


def test_programs_evaluate_the_equation():
    inputs = given()
    expected = product(*inputs, TARGET, "torch")
    compiled = torch.compile(
        lambda *given: product(*given, TARGET, "auto"), backend="eager", fullgraph=True
    )
    for one, other in zip(compiled(*inputs), expected, strict=True):
        torch.testing.assert_close(one, other)
    torch.compiler.reset()


@needs_numba
def test_single_precision_and_nan():
    inputs = [each.detach().float() for each in given()]
    out = product(*inputs, None, "numba")
    assert out[0].dtype == torch.float32
    torch.testing.assert_close(out[0], product(*inputs, None, "torch")[0])
    inputs[2][0, 0] = torch.nan
    assert product(*inputs, None, "numba")[0].isnan().any()


def test_no_rows_give_zeros():
    none = torch.zeros(0, dtype=torch.int64)
    sources = [Rows(torch.randn(4, 3), none), Rows(torch.randn(0, 9))]
    out = steerable_product(sources, torch.randn(0, 4), PRODUCT, target=Target(none, 3))
    assert [tuple(each.shape) for each in out] == [(3, 6), (3, 4)]
    assert not any(each.any() for each in out)


def test_wrong_inputs_are_named():
    y, one, other = given()
    with pytest.raises(ValueError, match=r"y must have shape \(rows, 4\), got \(6, 3\)"):
        product(y[:, :3], one, other, None, "auto")
    with pytest.raises(ValueError, match=r"source 1 must have shape \(rows, 9\), got \(6, 8\)"):
        product(y, one, other[:, :8], None, "auto")
    with pytest.raises(ValueError, match="source 1 must have 6 rows as y, got 5"):
        product(y, one, other[:5], None, "auto")
    with pytest.raises(ValueError, match="target must have 6 rows as y, got 2"):
        product(y, one, other, Target(torch.tensor([0, 1]), 2), "auto")
    with pytest.raises(ValueError, match="sources must have 2 entries, got 1"):
        steerable_product([Rows(one, INDEX)], y, PRODUCT)
    with pytest.raises(ValueError, match="backend must be one of"):
        product(y, one, other, None, "cuda")


@needs_numba
@pytest.mark.parametrize(
    ("index", "target", "message"),
    [
        (INDEX + 1, TARGET, r"rows of source 0 must be in \[0, 4\), got 1 to 4"),
        (INDEX, TARGET._replace(size=4), r"rows of the target must be in \[0, 4\), got 0 to 4"),
        (INDEX - 1, TARGET, r"rows of source 0 must be in \[0, 4\), got -1 to 2"),
    ],
)
def test_rows_that_do_not_exist(index, target, message):
    y, one, other = given()
    with pytest.raises(IndexError, match=message):
        steerable_product([Rows(one, index), Rows(other)], y, PRODUCT, target=target)
