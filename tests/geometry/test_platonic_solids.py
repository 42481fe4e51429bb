import pytest
import torch

from geozoo.geometry import platonic_rotations, platonic_vertices

GROUP_SIZES = {4: 12, 6: 24, 8: 24, 12: 60, 20: 60}
#: Vertex degree: the number of nearest neighbours, all at the same angle.
VALENCE = {4: 3, 6: 4, 8: 3, 12: 5, 20: 3}


@pytest.mark.parametrize("num", sorted(GROUP_SIZES))
def test_vertices_are_unit_and_regular(num):
    vertices = platonic_vertices(num)
    assert vertices.shape == (num, 3)
    torch.testing.assert_close(vertices.norm(dim=1), torch.ones(num, dtype=torch.float64))
    cosines = vertices @ vertices.T - 2 * torch.eye(num, dtype=torch.float64)
    nearest = (cosines - cosines.max() > -1e-9).sum(1)
    assert nearest.tolist() == [VALENCE[num]] * num


def test_vertex_order_matches_trained_models():
    golden = (1 + 5**0.5) / 2
    starts = {4: (1, 1, 1), 12: (0, 1, golden)}
    for num, start in starts.items():
        unit = torch.nn.functional.normalize(torch.tensor(start).double(), dim=0)
        torch.testing.assert_close(platonic_vertices(num)[0].abs(), unit)


@pytest.mark.parametrize(("num", "size"), sorted(GROUP_SIZES.items()))
def test_rotations_are_the_whole_group(num, size):
    vertices, rotations = platonic_vertices(num), platonic_rotations(num)
    assert rotations.shape == (size, 3, 3)
    unit = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(rotations @ rotations.mT, unit.expand_as(rotations))
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(size, dtype=torch.float64))
    flat = rotations.flatten(1)
    assert (torch.cdist(flat, flat) < 1e-6).sum() == size, "some rotations are the same"
    product = (rotations[:, None] @ rotations).reshape(-1, 9)
    assert torch.cdist(product, flat).min(1).values.max() < 1e-6, "not closed"
    turned = vertices @ rotations.mT
    assert torch.cdist(turned, vertices).min(-1).values.max() < 1e-6


@pytest.mark.parametrize("function", [platonic_vertices, platonic_rotations])
def test_other_counts_raise(function):
    with pytest.raises(ValueError, match=r"number of vertices .*\[4, 6, 8, 12, 20\], got 10"):
        function(10)
