"""The bases of a position-orientation bundle against its invariants, edge by edge."""

import pytest
import torch
from layer_cases import EDGES, SIZES, random, seeded

import geozoo.nn as layers
from geozoo.geometry import orientation_invariants, r2s1_invariants, r3s2_invariants

BATCH = torch.zeros(5, dtype=torch.int64)


def make(dim: int, **options: object) -> layers.BundleRepresentation:
    given = {
        "num_orientations": 4, "grid": "fibonacci", "orientation_kind": "published",
        "separable": True, **SIZES,
    }  # fmt: skip
    return seeded(lambda: layers.BundleRepresentation(dim, **given | options))


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize(("dim", "kind"), [(2, "published"), (2, "se2"), (3, "published")])
def test_bases_are_those_of_the_invariants(dim, kind, separable, told):
    representation = make(
        dim, orientation_kind=kind, separable=separable, condition_channels=int(told)
    )
    pos, condition = random(5, dim), random(5, 1, seed=1) if told else None
    found = representation.geometry(pos, EDGES, BATCH, condition=condition).neighborhood
    grid, spatial = representation.orientations, r2s1_invariants if dim == 2 else r3s2_invariants
    window = layers.PolynomialWindow(SIZES["radius"])
    for e, (sender, receiver) in enumerate(EDGES.T.tolist()):
        arm = pos[sender] - pos[receiver]
        for o, direction in enumerate(grid):
            numbers = [spatial(arm, direction)]
            others = [[]] if separable else [
                [orientation_invariants(direction, other, kind)] for other in grid
            ]  # fmt: skip
            rows = [torch.cat([*numbers, *more, *([condition[receiver]] if told else [])])
                    for more in others]  # fmt: skip
            expected = representation.basis(torch.stack(rows)) * window(arm.norm())
            row = found["basis"][e, o]
            torch.testing.assert_close(row, expected[0] if separable else expected)
    if separable:
        pairs = orientation_invariants(grid[:, None], grid[None], kind)
        torch.testing.assert_close(found["fiber_basis"], representation.fiber_basis(pairs))


def test_a_grid_that_is_nearly_antipodal_shares_nothing():
    half = torch.eye(3)[:2]
    turned = torch.nn.functional.normalize(-half + 0.1 * torch.eye(3)[2], dim=-1)
    assert make(3, grid=torch.cat([half, -half])).shares_pairs
    assert not make(3, grid=torch.cat([half, turned])).shares_pairs
    assert not make(3, grid=torch.cat([half, -half]), separable=False).shares_pairs


def test_a_layer_in_single_precision_lifts_in_single_precision():
    options = SIZES | {"num_orientations": 4, "grid": "fibonacci"}
    layer = layers.BundleRepresentation(3, separable=True, orientation_kind="published", **options)
    geometry = layer.geometry(torch.rand(5, 3), EDGES, BATCH)
    lifted = layer.lift(torch.rand(5, 2), torch.rand(5, 1, 3), geometry)
    assert lifted.dtype == torch.float32 and lifted.shape == (5, 4, 3)
    assert layer.project(lifted, 2, geometry)[1].dtype == torch.float32
