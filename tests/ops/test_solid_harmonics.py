"""Spherical harmonics from couplings, against e3nn's polynomials."""

import pytest
import torch

from geozoo.ops import textbook
from geozoo.ops.steerable import solid_harmonics

o3 = pytest.importorskip("e3nn.o3")


def derivatives(vector: torch.Tensor, degree: int) -> list[torch.Tensor]:
    """Values, and derivatives to third order along fixed directions."""
    values = solid_harmonics(vector, degree)
    found, total = [values], (values + 0.3).square().sum()
    for _ in range(3):
        (grad,) = torch.autograd.grad(total, vector, create_graph=True)
        found.append(grad)
        total = ((grad + 0.1) * grad.detach().roll(1, 0)).sum()
    return found


@pytest.mark.parametrize("degree", range(1, 5))
def test_values_and_derivatives_are_those_of_e3nn(degree: int) -> None:
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    vector[2] = 0.0  # coincident points
    vector.requires_grad_()
    with textbook():
        expected = derivatives(vector, degree)
    for one, other in zip(derivatives(vector, degree), expected, strict=True):
        scale = 1e-13 * float(other.detach().abs().max())
        torch.testing.assert_close(one, other, rtol=0, atol=scale)


def test_they_have_mean_square_1_and_turn_with_the_vectors() -> None:
    vector = torch.randn(5, 3, dtype=torch.float64)
    unit = vector / vector.norm(dim=1, keepdim=True)
    values = solid_harmonics(unit, 3)
    for degree, part in enumerate(values.split([1, 3, 5, 7], 1)):
        length = torch.full((5,), 2.0 * degree + 1, dtype=torch.float64)
        torch.testing.assert_close(part.square().sum(1), length)
    turn = o3.rand_matrix().double()
    wigner = o3.Irreps.spherical_harmonics(3).D_from_matrix(turn)
    turned = solid_harmonics(unit @ turn.T, 3)
    torch.testing.assert_close(turned, values @ wigner.double().T, rtol=0, atol=1e-5)


def test_precision_of_the_first_call_does_not_matter() -> None:
    vector = torch.randn(4, 3, dtype=torch.float64)
    single = solid_harmonics(vector.float(), 2)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), solid_harmonics(vector, 2), rtol=1e-5, atol=1e-5)


def test_they_compile() -> None:
    vector = torch.randn(4, 3)
    compiled = torch.compile(solid_harmonics, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(vector, 3), solid_harmonics(vector, 3))
    torch.compiler.reset()
