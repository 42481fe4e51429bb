import pytest
import torch

from geozoo.geometry import SPHERE_GRIDS, antipodal_order, circle_grid, sphere_grid
from geozoo.geometry.grids import _repulsion_energy

SIZES = {"repulsion": 9, "repulsion_antipodal": 12, "fibonacci": 30, "platonic": 20}
ALL = [(kind, SIZES[kind]) for kind in SPHERE_GRIDS] + [("repulsion_antipodal", 2)]


@pytest.mark.parametrize(("kind", "num"), ALL)
def test_sphere_grid_holds_unit_vectors_and_is_deterministic(kind, num):
    state = torch.random.get_rng_state()
    grid = sphere_grid(num, kind)
    assert grid.shape == (num, 3)
    assert grid.dtype == torch.float64
    torch.testing.assert_close(grid.norm(dim=1), torch.ones(num, dtype=torch.float64))
    assert torch.equal(grid, sphere_grid(num, kind))
    assert torch.equal(state, torch.random.get_rng_state())


def test_grids_under_no_grad():
    with torch.no_grad():
        assert torch.equal(sphere_grid(6, "repulsion"), sphere_grid(6, "repulsion"))


@pytest.mark.parametrize(("kind", "num"), [("repulsion_antipodal", 12), ("platonic", 12)])
def test_antipodal_grids_have_antipodes_half_a_grid_apart(kind, num):
    grid = sphere_grid(num, kind)
    torch.testing.assert_close(grid[: num // 2], -grid[num // 2 :], atol=1e-12, rtol=0)


def test_tetrahedron_grid_is_not_antipodal():
    tetrahedron = sphere_grid(4, "platonic")
    with pytest.raises(ValueError, match="^grid must contain the antipode of each of its points"):
        antipodal_order(tetrahedron)


def test_antipodal_order_keeps_the_points():
    grid = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    ordered = antipodal_order(grid)
    assert torch.equal(ordered[:2], -ordered[2:])
    assert (torch.cdist(ordered, grid) < 1e-6).sum() == 4


@pytest.mark.parametrize("num", [6, 8, 12, 20])
def test_platonic_grids_integrate_quadratic_functions_exactly(num):
    grid = sphere_grid(num, "platonic")
    unit = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(grid.T @ grid, unit * num / 3)
    assert grid.sum(0).abs().max() < 1e-12


@pytest.mark.parametrize(("kind", "error"), [("repulsion_antipodal", 2e-2), ("fibonacci", 2e-2)])
def test_other_grids_integrate_quadratic_functions_approximately(kind, error):
    grid = sphere_grid(20, kind)
    moment = 3 * grid.T @ grid / 20 - torch.eye(3, dtype=torch.float64)
    assert moment.abs().max() < error
    assert grid.mean(0).abs().max() < error


def test_fibonacci_points_rotate_by_the_golden_angle():
    grid = sphere_grid(9, "fibonacci")
    turn = torch.atan2(grid[1:, 1], grid[1:, 0]) - torch.atan2(grid[:-1, 1], grid[:-1, 0])
    golden = torch.pi * (3 - 5**0.5)
    torch.testing.assert_close(turn % (2 * torch.pi), torch.full_like(turn, golden))
    torch.testing.assert_close(grid[:, 2].diff(), torch.full_like(turn, -2 / 9))


def test_repulsion_has_larger_minimum_angle_than_fibonacci():
    def smallest_angle(kind):
        cosine = sphere_grid(20, kind) @ sphere_grid(20, kind).T
        return (cosine - 2 * torch.eye(20, dtype=torch.float64)).max().acos()

    assert smallest_angle("repulsion") > smallest_angle("fibonacci")


@pytest.mark.parametrize("num", [1, 5, 8])
def test_circle_grid_is_equally_spaced(num):
    grid = circle_grid(num)
    turn = 2 * torch.pi / num
    expected = torch.tensor([[torch.cos(torch.tensor(turn).double() * k).item(),
                              torch.sin(torch.tensor(turn).double() * k).item()]
                             for k in range(num)]).double()  # fmt: skip
    torch.testing.assert_close(grid, expected, atol=1e-6, rtol=0)
    if num % 2 == 0:
        torch.testing.assert_close(grid[: num // 2], -grid[num // 2 :])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "num must be a positive integer number of orientations, got 0"),
        ((2.5,), "num must be a positive integer number of orientations, got 2.5"),
        ((7,), "num must be an even number of orientations .*, got 7"),
        ((8, "cubic"), "kind must be one of .*'cubic'"),
        ((10, "platonic"), "num must be the number of vertices"),
    ],
)
def test_invalid_sphere_grids_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        sphere_grid(*arguments)


def test_empty_circle_grid_raises():
    with pytest.raises(ValueError, match="num must be a positive integer number"):
        circle_grid(0)


def energy_of_pairs(points):
    """Inverse squares of the angles between all ordered pairs, in half turns."""
    total = 0.0
    for i, one in enumerate(points):
        for j, other in enumerate(points):
            if i != j:
                total += (torch.acos((one @ other).clamp(-1, 1)) / torch.pi) ** -2
    return total


@pytest.mark.parametrize("antipodal", [False, True])
def test_repulsion_energy(antipodal):
    free = sphere_grid(5, "fibonacci")
    points = torch.cat([free, -free]) if antipodal else free
    found = _repulsion_energy(free, antipodal)
    torch.testing.assert_close(found, energy_of_pairs(points), rtol=1e-7, atol=0)
    assert _repulsion_energy(free[:1], False) == 0


@pytest.mark.parametrize("kind", ["repulsion", "repulsion_antipodal"])
@pytest.mark.parametrize("num", [6, 12])
def test_repulsion_finds_regular_polyhedra(num, kind):
    found = energy_of_pairs(sphere_grid(num, kind))
    best = energy_of_pairs(sphere_grid(num, "platonic"))
    assert found == pytest.approx(float(best), rel=1e-4)


def test_two_points_repel_to_antipodes():
    for kind in ("repulsion", "repulsion_antipodal"):
        one, other = sphere_grid(2, kind)
        assert one @ other < -1 + 1e-6
