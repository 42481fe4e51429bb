import pytest
import torch

from geozoo.geometry import random_rotations


def draw(dim, seed=0, **options):
    return random_rotations(6, dim, generator=torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("dim", [2, 3])
def test_rotations_are_orthogonal_with_determinant_one(dim):
    rotations = draw(dim, dtype=torch.float64)
    unit = torch.eye(dim, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, unit)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize("dim", [2, 3])
def test_the_seed_decides_in_every_precision(dim):
    assert torch.equal(draw(dim), draw(dim))
    assert torch.equal(draw(dim), draw(dim, dtype=torch.float64).float())
    assert not torch.equal(draw(dim), draw(dim, seed=1))


@pytest.mark.parametrize("dim", [2, 3])
def test_rotated_vectors_have_mean_zero_and_isotropic_second_moment(dim):
    generator = torch.Generator().manual_seed(0)
    first = random_rotations(20000, dim, generator=generator, dtype=torch.float64)[..., 0]
    assert first.mean(0).abs().max() < 0.02
    moment = first.T @ first / len(first)
    torch.testing.assert_close(moment, torch.eye(dim).double() / dim, atol=0.02, rtol=0)


def test_none_can_be_drawn_and_the_dimension_is_checked():
    assert random_rotations(0, 3).shape == (0, 3, 3)
    with pytest.raises(ValueError, match="dim must be 2 or 3, got 4"):
        random_rotations(1, 4)
