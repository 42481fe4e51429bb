"""What must hold for every graph: models of the zoo on graphs that hypothesis draws."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from drawn_graphs import SETTINGS, SHAPES, batches, rotations
from hypothesis import assume, given
from hypothesis import strategies as draw
from test_model_contract import REGULAR, TRAINED, build
from torch import Tensor

from geozoo import testing
from geozoo.geometry import platonic_rotations
from geozoo.testing import TOLERANCES

LEVELS = draw.sampled_from(["node", "graph"])
#: Grids of orientations are exact under the symmetries of their polyhedron alone.
ON_GRIDS = {"ponita", "rapidash"}
#: Exact under the rotations of its group alone, which has no mirrors.
OF_A_GROUP = {"platonic"}
EXACT = sorted(set(TRAINED) - ON_GRIDS - OF_A_GROUP)


@functools.cache
def model(
    name: str, level: str, dtype: torch.dtype = torch.float64, **options: object
) -> torch.nn.Module:
    return build(name, level, **REGULAR, **options).to(dtype)


def icosahedral(number: int, sign: int) -> Tensor:
    """A symmetry of the icosahedron, which has the inversion too."""
    return sign * platonic_rotations(20)[number].double()


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXACT)
@SETTINGS
@given(level=LEVELS, graphs=batches(), rotation=rotations())
def test_motions_and_mirrors_are_followed(name, level, graphs, rotation):
    testing.assert_equivariant(model(name, level), graphs, rotations=[rotation])


@pytest.mark.parametrize("name", sorted(ON_GRIDS))
@SETTINGS
@given(level=LEVELS, graphs=batches(), number=draw.integers(0, 59), sign=draw.sampled_from([1, -1]))
def test_symmetries_of_the_grid_are_followed(name, level, graphs, number, sign):
    testing.assert_equivariant(model(name, level), graphs, rotations=[icosahedral(number, sign)])


@pytest.mark.parametrize("name", sorted(OF_A_GROUP))
@SETTINGS
@given(level=LEVELS, graphs=batches(), number=draw.integers(0, 59))
def test_rotations_of_the_group_are_followed(name, level, graphs, number):
    testing.assert_equivariant(model(name, level), graphs, rotations=[icosahedral(number, 1)])


@pytest.mark.thorough
@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(level=LEVELS, graphs=batches(), seed=draw.integers(0, 2**31))
def test_order_of_nodes_does_not_matter(name, level, graphs, seed):
    nodes = ("scalar", "vector") if level == "node" else ()
    testing.assert_permutation_equivariant(
        model(name, level), graphs, batch=graphs["batch"], node_outputs=nodes, seed=seed
    )


@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(level=LEVELS, graphs=batches().filter(lambda graphs: graphs["num_graphs"] > 1))
def test_graphs_do_not_meet(name, level, graphs):
    testing.assert_batch_independent(model(name, level), graphs, level=level)


@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(
    level=LEVELS,
    graphs=batches().filter(lambda graphs: graphs["num_graphs"] > 1),
    power=draw.integers(0, 6),
)
def test_a_graph_far_away_changes_nothing(name, level, graphs, power):
    """Positions near 10^p leave 16 - p digits of a distance."""
    far = {**graphs, "pos": graphs["pos"] + 10.0**power * graphs["batch"][:, None]}
    far_from_others, among_others = outputs(name, level, far), outputs(name, level, graphs)
    torch.testing.assert_close(
        far_from_others, among_others, rtol=1e-9 * 10**power, atol=1e-9 * 10**power
    )


@torch.no_grad()
def outputs(
    name: str, level: str, graphs: dict[str, Any], dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    found = model(name, level, dtype)(**graphs)._asdict()
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.thorough
@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(level=LEVELS, graphs=batches(), power=draw.integers(-8, 4))
def test_tiny_and_huge_coordinates_stay_finite(name, level, graphs, power):
    scaled = {**graphs, "pos": 10.0**power * graphs["pos"]}
    testing.assert_finite_derivatives(model(name, level), scaled)


@pytest.mark.thorough
@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(level=LEVELS, graphs=batches())
def test_float32_is_float64_rounded(name, level, graphs):
    single = {
        key: value.float() if torch.is_tensor(value) and value.is_floating_point() else value
        for key, value in graphs.items()
    }
    rounded = outputs(name, level, single, dtype=torch.float32)
    assert {value.dtype for value in rounded.values()} == {torch.float32}
    relative, absolute = TOLERANCES[torch.float32]
    exact = outputs(name, level, graphs)
    torch.testing.assert_close(
        {key: value.double() for key, value in rounded.items()}, exact,
        rtol=relative, atol=absolute + relative * max(map(largest, exact.values())),
    )  # fmt: skip


def largest(value: Tensor) -> float:
    return float(value.abs().max()) if value.numel() else 0.0


@pytest.mark.parametrize("name", TRAINED)
@SETTINGS
@given(graphs=batches(("ordinary",)))
def test_neighbours_enter_smoothly(name, graphs):
    """Energies and forces just inside and just outside the distance of a pair."""
    first = graphs["batch"] == graphs["batch"][0]
    assume(int(first.sum()) > 1)
    arm = torch.tensor([2.0, 1.0, -0.5], dtype=torch.float64)
    inside, outside, closer = (
        energy_and_forces(name, graphs, distance * arm / arm.norm())
        for distance in (1.5 - 1e-7, 1.5 + 1e-7, 1.2)
    )
    scale = 1 + largest(inside)
    assert largest(inside - outside) < 3e-6 * scale
    assert largest(closer - outside) > 3e-5, "the neighbour must matter inside the cutoff"


def energy_and_forces(name: str, graphs: dict[str, Any], arm: Tensor) -> Tensor:
    """With the second node at an arm from the first one."""
    pos = graphs["pos"].clone()
    pos[1] = pos[0] + arm
    pos.requires_grad_()
    energy = model(name, "graph", radius=1.5)(**{**graphs, "pos": pos}).scalar[:, 0].sum()
    (gradient,) = torch.autograd.grad(energy, pos)
    return torch.cat([energy.detach()[None], gradient.flatten()])


def test_the_drawn_shapes_are_what_they_are_called():
    pos = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(SHAPES["twins"](pos)[0], SHAPES["twins"](pos)[1])
    assert torch.linalg.matrix_rank(SHAPES["line"](pos)) == 1
    assert torch.linalg.matrix_rank(SHAPES["plane"](pos)) == 2
