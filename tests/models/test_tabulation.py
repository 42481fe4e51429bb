"""Kernels read from tables: their error, its order, forces, and what is refused."""

import pytest
import torch

from geozoo.geometry import random_rotations
from geozoo.models import Ponita, tabulate
from geozoo.nn.embedding import SplineGrid, SplineTable
from geozoo.options import in_groups

SIZES = {"hidden_channels": 12, "basis_channels": 10, "num_layers": 2}
KINDS = {
    "bundle": {"num_orientations": 6},
    "odd grid": {"num_orientations": 5, "grid": "fibonacci"},
    "plane": {"num_orientations": 6, "dim": 2},
    "positions": {"representation": "position"},
    "full kernels": {"num_orientations": 6, "depthwise": False},
    "textbook": {"num_orientations": 6, "backend": "textbook"},
}


def made(kind, **options):
    torch.manual_seed(0)
    return Ponita(
        3, 2, radius=2.0, **in_groups(Ponita, {**SIZES, **KINDS[kind], **options})
    ).double()


def points(model, count=12):
    torch.manual_seed(1)
    pos = 1.5 * torch.rand(count, model.dim, dtype=torch.float64)
    return pos, torch.randn(count, 3, dtype=torch.float64), torch.arange(count) // 6


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_forces_are_near_the_exact_ones(kind):
    model = made(kind)
    tabled, error = tabulate(model, points=96)
    assert error < 1e-4
    found = []
    for each in (model, tabled):
        pos, x, batch = points(model)
        pos.requires_grad_()
        out = each(pos, x, batch).scalar
        found.append([out, *torch.autograd.grad(out.sum(), pos)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        assert not torch.equal(one, other)
    assert model.representation.basis is not tabled.representation.basis


def test_error_falls_with_the_fourth_power_of_the_spacing():
    model = made("bundle")
    coarse, fine = (tabulate(model, points=count).error for count in (16, 32))
    assert 8 < coarse / fine < 32


@pytest.mark.parametrize("dim", [1, 2])
def test_a_spline_goes_through_its_nodes_and_is_smooth(dim):
    grid = SplineGrid([-1.0, 0.0][:dim], [1.0, 2.0][:dim], 20)

    def wave(values):
        return torch.stack([values.sin().prod(-1), values.square().sum(-1)], -1)

    table = SplineTable(grid.coefficients(wave))
    nodes = torch.rand(50, dim).double()
    nodes = (nodes * 20).floor() / 10 + grid.lower
    nodes = torch.cat([nodes, grid.lower[None] + 2])  # and the end of the last cell
    torch.testing.assert_close(table(grid(nodes)), wave(nodes), rtol=1e-9, atol=1e-9)
    # The slope has no step where two cells meet.
    inner = ((torch.rand(50, dim).double() * 18 + 1).floor() / 10 + grid.lower)[:, :1]
    slopes = []
    for side in (-1e-9, 1e-9):
        place = torch.cat([inner + side, torch.full((50, dim - 1), 0.73).double()], 1)
        place.requires_grad_()
        slopes.append(torch.autograd.grad(table(grid(place)).sum(), place)[0])
    torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-6)


def test_a_cubic_is_its_own_spline_up_to_both_ends():
    def cubic(values):
        x, y = values.unbind(-1)
        return torch.stack([x**3 * (y**3 - y), 1 + x - x**2 * y], -1)

    grid = SplineGrid([-1.0, 0.5], [2.0, 1.5], 7)
    table = SplineTable(grid.coefficients(cubic))
    corners = torch.cartesian_prod(torch.tensor([-1.0, 2.0]), torch.tensor([0.5, 1.5])).double()
    places = torch.cat([grid.lower + torch.rand(40, 2).double() * torch.tensor([3, 1]), corners])
    torch.testing.assert_close(table(grid(places)), cubic(places), rtol=1e-8, atol=1e-8)
    # A rounding beyond an end is no error, and the last cell's cubic goes on there.
    step = grid.spacing * 0.9e-3
    beyond = torch.stack([grid.lower - step, grid.lower + 7 * grid.spacing + step])
    torch.testing.assert_close(table(grid(beyond)), cubic(beyond), rtol=1e-8, atol=1e-8)
    for sign in (-1, 1):
        place = corners[:1] if sign < 0 else corners[-1:]
        with pytest.raises(ValueError, match=r"in the table, \[-1.0, 0.5\] to \[2.0, 1.5\], got "):
            grid(place + sign * torch.tensor([0.0, 1.2e-3]) * grid.spacing)
    assert table(grid(places[:0])).shape == (0, 2)
    terms = grid(places[:6].view(2, 3, 2))
    assert terms.index.shape == terms.weight.shape == (2, 3, 16)
    along = SplineGrid([0.0], [1.0], 5)(torch.rand(1, 3, 1))
    assert along.index.shape == along.weight.shape == (1, 3, 4)


def test_turned_points_stay_turned():
    model, rotation = made("bundle"), random_rotations(1, 3)[0].double()
    tabled, _ = tabulate(model, points=64)
    pos, x, batch = points(model)
    exact, table = (
        (each(pos @ rotation.T, x, batch).scalar - each(pos, x, batch).scalar).abs().max()
        for each in (model, tabled)
    )
    assert abs(table - exact) < 1e-4


def test_what_cannot_be_tabulated_is_refused():
    with pytest.raises(ValueError, match="max_distance must be positive for a model without"):
        tabulate(Ponita(1, 1, orientations={"num_orientations": 6}))
    for options in (
        {"representation": "frames", "num_orientations": 12},
        {"condition_channels": 1},
    ):
        with pytest.raises(ValueError, match="^model must have representation"):
            tabulate(Ponita(1, 1, radius=1.0, **in_groups(Ponita, options)))
    tabled, _ = tabulate(made("positions"), max_distance=1.0)
    with pytest.raises(ValueError, match="model must have kernels of its own, got a model that is"):
        tabulate(tabled, max_distance=1.0)
    with pytest.raises(ValueError, match="values must lie within the table"):
        tabled(10 * torch.rand(4, 3).double(), torch.randn(4, 3).double(), torch.zeros(4).long())
    with pytest.raises(ValueError, match="points must be at least 1"):
        SplineGrid([0.0], [1.0], 0)
    with pytest.raises(ValueError, match="upper must be above lower"):
        SplineGrid([0.0], [0.0], 5)
    with pytest.raises(ValueError, match="1 or 2 numbers"):
        SplineGrid([0.0] * 3, [1.0] * 3, 5)
