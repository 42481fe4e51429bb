import pytest
import torch

from geozoo.ops import length_and_direction, safe_norm, smooth_norm
from geozoo.testing import assert_dtype_kept, assert_finite_derivatives, assert_gradients


def test_value_is_the_euclidean_norm():
    vector = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-20, 0.0]], dtype=torch.float64)
    assert safe_norm(vector).tolist() == [5.0, 0.0, 1e-20]
    assert safe_norm(vector, keepdim=True).shape == (3, 1)


@pytest.mark.parametrize(
    "vector", [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, -2.0, 0.0]], ids=["zero", "x", "y"]
)
def test_first_and_second_derivatives_are_finite(vector):
    assert_finite_derivatives(safe_norm, {"vector": torch.tensor(vector)}, wrt=("vector",))


def test_derivatives_at_zero_are_zero():
    vector = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(safe_norm(vector), vector, create_graph=True)
    assert first.tolist() == [0.0, 0.0, 0.0]
    hessian = torch.autograd.functional.hessian(safe_norm, torch.zeros(3, dtype=torch.float64))
    assert hessian.abs().max() == 0


def test_hessian_on_an_axis_is_projector_divided_by_length():
    vector = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(safe_norm, vector)
    torch.testing.assert_close(hessian, torch.diag(torch.tensor([0.0, 0.5, 0.5]).double()))


def test_derivatives_agree_with_finite_differences():
    vector = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert_gradients(safe_norm, {"vector": vector}, wrt=("vector",))
    assert_dtype_kept(safe_norm, {"vector": vector})


def test_length_and_direction_including_zero_vector():
    vectors = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, -2e-3, 0.0]]).double()
    length, direction = length_and_direction(vectors)
    torch.testing.assert_close(length, torch.tensor([5.0, 0.0, 2e-3]).double())
    expected = torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0], [0.0, -1.0, 0.0]]).double()
    torch.testing.assert_close(direction, expected)
    for one in (vectors[0], vectors[2]):
        assert_gradients(lambda one: length_and_direction(one)[1], {"one": one}, wrt=("one",))
    assert_finite_derivatives(
        lambda vector: length_and_direction(vector), {"vector": vectors}, wrt=("vector",)
    )


def test_the_smooth_norm_is_smooth_at_zero_and_the_norm_elsewhere():
    vector = torch.tensor([[3.0, 4.0], [1e-9, 0.0]], dtype=torch.float64, requires_grad=True)
    length = smooth_norm(vector)
    assert length.tolist() == pytest.approx([5.0, 1e-4], rel=1e-9)
    (gradient,) = torch.autograd.grad(length.sum(), vector)
    assert gradient[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-9)
    assert float(gradient[1].norm()) == pytest.approx(1e-5, rel=1e-6)
    assert smooth_norm(vector, keepdim=True).shape == (2, 1)
    assert_gradients(smooth_norm, {"vector": vector.detach()}, wrt=("vector",))
    assert_dtype_kept(smooth_norm, {"vector": vector.detach()})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_gradient_of_the_smooth_norm_is_finite_in_every_precision(dtype: torch.dtype) -> None:
    vector = torch.tensor([[0.0, 0.0, 0.0], [1e-6, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    length = smooth_norm(vector)
    length.sum().backward()
    assert length.dtype == dtype and bool((length > 0).all())
    assert bool(torch.as_tensor(vector.grad).isfinite().all())
