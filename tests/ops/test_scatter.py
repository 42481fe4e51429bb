import pytest
import torch

from geozoo.ops import scatter
from geozoo.testing import assert_dtype_kept, assert_gradients

INDEX = torch.tensor([2, 0, 2, 2, 0, 4])
LOOP = {
    "sum": lambda rows: rows.sum(0),
    "mean": lambda rows: rows.mean(0),
    "max": lambda rows: rows.amax(0),
    "min": lambda rows: rows.amin(0),
}


def values(*shape):
    return torch.randn(6, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("reduce", sorted(LOOP))
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_equals_a_loop(reduce, shape):
    src = values(*shape)
    expected = torch.zeros(5, *shape, dtype=torch.float64)
    for row in range(5):
        if (INDEX == row).any():
            expected[row] = LOOP[reduce](src[INDEX == row])
    torch.testing.assert_close(scatter(src, INDEX, 5, reduce), expected)


@pytest.mark.parametrize("reduce", sorted(LOOP))
def test_first_and_second_derivatives(reduce):
    def squares(src):
        return scatter(src * src, INDEX, 5, reduce) ** 2

    assert_gradients(squares, {"src": values(2)}, wrt=("src",))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_half_precision_sum_does_not_saturate(dtype, shape):
    """In bfloat16, 256 + 1 rounds to 256."""
    src = torch.ones(4096, *shape, dtype=dtype, requires_grad=True)
    out = scatter(src, torch.zeros(4096, dtype=torch.int64), 2)
    assert out.dtype == dtype
    assert torch.equal(out[0], torch.full(shape, 4096.0, dtype=dtype)) and not out[1].any()
    out.sum().backward()
    assert torch.equal(src.grad, torch.ones_like(src))


def test_empty_input_gives_zeros_of_same_dtype():
    out = scatter(torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64), 2)
    assert out.dtype == torch.float64
    assert out.tolist() == [[0.0] * 3] * 2
    assert_dtype_kept(lambda src: scatter(src, INDEX, 5), {"src": values(2)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((values(2), INDEX, 5, "median"), "reduce must be one of .*'median'"),
        ((values(2), INDEX[:3], 5), r"index must have one entry per row of src \(6\), got \(3,\)"),
        ((values(2), INDEX.view(2, 3), 5), "index must have one entry per row of src"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        scatter(*arguments)
