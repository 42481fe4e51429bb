"""Regular lattices: lattice vectors, and offsets within a cutoff."""

import pytest
import torch

from geozoo.geometry import (
    check_lattice,
    lattice_indices,
    lattice_reach,
    lattice_steps,
    radius_graph,
    random_rotations,
    stencil_offsets,
)

SHAPES = [[3, 4], [2, 3, 4]]


def lattices(shape, *, skewed=False):
    """Two lattices, rotated, stretched and translated independently, and their lattice vectors."""
    dim = len(shape)
    generator = torch.Generator().manual_seed(0)
    steps = random_rotations(2, dim, generator=generator).double()
    steps = steps * torch.tensor([0.7, 1.9]).view(2, 1, 1).double()
    if skewed:
        steps = steps + 0.3 * torch.randn(2, dim, dim, generator=generator, dtype=torch.float64)
    index = lattice_indices(shape).double()
    origin = torch.randn(2, 1, dim, generator=generator, dtype=torch.float64)
    return (origin + index @ steps).flatten(0, 1), steps


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_lattice_vectors(shape, skewed):
    pos, steps = lattices(shape, skewed=skewed)
    torch.testing.assert_close(lattice_steps(pos, shape, 2), steps)


def test_float32_far_from_the_origin_is_a_lattice():
    pos = lattice_indices([28, 28]).float() + 1e3
    torch.testing.assert_close(lattice_steps(pos, [28, 28], 1), torch.eye(2)[None])


def test_tolerance_is_per_lattice():
    index = lattice_indices([3, 4]).double()
    pos = torch.cat([1e-3 * index, 1e3 * index])
    off = pos.clone()
    off[5, 0] += 1e-4
    with pytest.raises(ValueError, match="pos must form a lattice of"):
        lattice_steps(off, [3, 4], 2)
    off = pos.clone()
    off[-2, 0] += 1e-4
    assert lattice_steps(off, [3, 4], 2).shape == (2, 2, 2)


@pytest.mark.parametrize("spoil", [0.01, torch.nan])
@pytest.mark.parametrize("shape", SHAPES)
def test_displaced_point_raises(shape, spoil):
    pos, _ = lattices(shape)
    pos[-2, 0] += spoil
    with pytest.raises(ValueError, match="pos must form a lattice of"):
        lattice_steps(pos, shape, 2)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_tolerance_is_relative_to_shortest_lattice_vector(unit):
    stretched = torch.tensor([1.0, 100.0], dtype=torch.float64) * unit
    pos = lattice_indices([3, 4]).double() * stretched
    nudged = pos.clone()
    nudged[5, 1] += 1e-5 * unit
    torch.testing.assert_close(lattice_steps(nudged, [3, 4], 1)[0], torch.diag(stretched))
    nudged[5, 1] += 0.01 * unit
    with pytest.raises(ValueError, match="pos must form a lattice of"):
        lattice_steps(nudged, [3, 4], 1)


def test_other_point_order_raises():
    pos, _ = lattices([3, 4])
    with pytest.raises(ValueError, match=r"a lattice of \[4, 3\] points in row-major order"):
        lattice_steps(pos, [4, 3], 2)


def test_wrong_number_of_points_raises():
    pos, _ = lattices([3, 4])
    with pytest.raises(ValueError, match="pos must have 2 x 12 points .* got 23"):
        lattice_steps(pos[1:], [3, 4], 2)


@pytest.mark.parametrize("radius", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_reach_covers_radius_graph(shape, skewed, radius):
    pos, steps = lattices(shape, skewed=skewed)
    reach = torch.tensor(lattice_reach(steps, shape, radius))
    index = lattice_indices(shape).repeat(2, 1)
    sender, receiver = radius_graph(pos, radius, torch.arange(len(pos)) // (len(pos) // 2))
    assert ((index[sender] - index[receiver]).abs() <= reach).all()
    assert (reach <= torch.tensor(shape) - 1).all()


def test_reach_is_minimal():
    assert lattice_reach(torch.eye(2)[None], [9, 9], 2.5) == (2, 2)
    assert lattice_reach(torch.eye(2)[None], [9, 2], None) == (8, 1)


def test_offsets_are_symmetric():
    offsets = stencil_offsets([1, 2])
    assert offsets.shape == (15, 2)
    assert offsets[7].tolist() == [0, 0]
    assert torch.equal(offsets, -offsets.flip(0))
    assert offsets[0].tolist() == [-1, -2]


def test_reach_at_exactly_one_step():
    # Rotated by 45 degrees, both axes have components of the long lattice vector.
    turn = torch.tensor([[1.0, 1.0], [-1.0, 1.0]]).double() / 2**0.5
    pos = lattice_indices([3, 4]).double() @ (torch.tensor([[0.1], [10.0]]) * turn)
    pos[5, 0] += 1e-3
    with pytest.raises(ValueError, match="pos must form a lattice of"):
        lattice_steps(pos, [3, 4], 1)


def test_small_deviations_do_not_accumulate():
    pos = lattice_indices([28, 28]).double()
    pos[1:-1:2] += 4e-4
    assert lattice_steps(pos, [28, 28], 1).shape == (1, 2, 2)


@pytest.mark.parametrize("shape", [[4, 4, 4], [4], [4, 1], [4, 2.5], [0.5, 4]])
def test_invalid_lattice_shapes_raise(shape):
    with pytest.raises(ValueError, match="^lattice must be 2 integers of at least 2, got"):
        check_lattice(shape, 2)
