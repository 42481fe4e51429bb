"""Rapidash: equal to PONITA where it is PONITA, equivariant at every scale, its options refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ponita_cases import batch_of, grid_rotations, random
from torch import Tensor, nn

from geozoo import testing
from geozoo.geometry import platonic_rotations, random_rotations
from geozoo.models import Ponita, Rapidash
from geozoo.options import in_groups

TINY = {"hidden_channels": 8, "basis_channels": 8, "degree": 2, "widening": 2, "layer_scale": 0.5}
SIZES = [13, 0, 1, 2, 6]


def drawn(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return random_rotations(count, 3, generator=generator, dtype=torch.float64)


#: Representation, its options, and rotations that it follows exactly.
EXACT: dict[str, tuple[dict[str, Any], Tensor]] = {
    "bundle": ({"grid": "platonic", "num_orientations": 20}, grid_rotations(3)[:4]),
    "frames": ({"num_orientations": 12}, platonic_rotations(4)[::4]),
    "position": ({}, drawn(2)),
}
LAYERS = {"one": [2], "two": [1, 1], "three": [0, 1, 1]}


def build(representation: str = "bundle", *, seed: int = 0, **options: Any) -> Rapidash:
    vectors = int(representation != "position")
    given = {
        "in_channels": 2, "out_channels": 2, "in_vectors": vectors, "out_vectors": vectors,
        "num_orientations": 6, "attention_channels": 4, "layers": [1, 1], **TINY, **options,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Rapidash(representation=representation, **in_groups(Rapidash, given)).double()
        for parameter in model.parameters():
            if parameter.dim() < 2:  # biases and layer scales start at a constant
                nn.init.normal_(parameter)
    return model


def inputs(model: Any, sizes: list[int] | None = None) -> dict[str, Any]:
    return batch_of(SIZES if sizes is None else sizes, model=model)


def assert_close(found: Any, expected: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("representation", ["bundle", "bundle_full", "frames", "edges", "position"])
def test_one_scale_without_attention_is_ponita(representation: str) -> None:
    count = {"num_orientations": 12} if representation == "frames" else {}
    network = build(representation, layers=[2], attention=False, **count)
    given = {
        "in_channels": 2, "out_channels": 2, "in_vectors": network.in_vectors,
        "out_vectors": network.out_vectors, "num_layers": 2,
        "num_orientations": 6, **TINY, **count,
    }  # fmt: skip
    plain = Ponita(representation=representation, **in_groups(Ponita, given)).double()
    names = {
        "representations.0": "representation",
        "blocks.0.": "blocks.",
        "readouts.": "readouts.",
    }
    state = network.state_dict()
    for old, new in names.items():
        state = {k.replace(old, new) if k.startswith(old) else k: v for k, v in state.items()}
    plain.load_state_dict(state)
    assert network.backend == plain.backend
    assert_close(network(**inputs(network)), plain(**inputs(network)))
    assert network.has_fixed_neighbors
    assert_close(network.calibrate(**inputs(network)), plain.calibrate(**inputs(network)))
    assert_close(network(**inputs(network)), plain(**inputs(network)))


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("layers", LAYERS.values(), ids=list(LAYERS))
@pytest.mark.parametrize("level", ["node", pytest.param("graph", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("representation", EXACT)
def test_motions_orders_and_batches(
    representation: str, level: str, layers: list[int], attention: bool
) -> None:
    options, rotations = EXACT[representation]
    network = build(representation, level=level, layers=layers, attention=attention, **options)
    given = inputs(network)
    testing.assert_equivariant(network, given, rotations=list(rotations.double()))
    nodes = ("scalar", "vector") if level == "node" else ()
    # Of two points only features say which is which: both are kept.
    testing.assert_permutation_equivariant(network, given, batch=given["batch"], node_outputs=nodes)
    testing.assert_batch_independent(network, given, level=level)


@pytest.mark.parametrize("attention", [True, False])
def test_lifted_edges_are_exactly_equivariant(attention: bool) -> None:
    network = build("edges", layers=[2], attention=attention)
    testing.assert_equivariant(network, inputs(network, [5, 1, 3]))


def test_other_rotations_are_followed_up_to_the_grid() -> None:
    rotation = drawn(1)
    errors = []
    for count in (6, 20, 60):
        network = build(layers=[1, 1], num_orientations=count, level="node")
        given = inputs(network)
        moved = {**given, **{k: given[k] @ rotation[0].T for k in ("pos", "vec")}}
        before, after = network(**given).scalar, network(**moved).scalar
        errors.append(float((before - after).detach().std() / before.detach().std()))
    assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize("level", ["node", "graph"])
def test_a_symmetric_set_does_not_depend_on_its_order(level: str) -> None:
    """A cube with its centre in any order and orientation: all distances have ties."""
    network = build("position", level=level, layers=[1, 1, 1], num_neighbors=4)
    grid = torch.cartesian_prod(*3 * [torch.arange(3.0, dtype=torch.float64) - 1])
    batch, x = torch.zeros(27, dtype=torch.int64), grid.abs().sum(1, keepdim=True).expand(-1, 2)
    expected = network(grid, x, batch).scalar.detach()
    for seed, rotation in enumerate(drawn(4)):
        order = torch.randperm(27, generator=torch.Generator().manual_seed(seed))
        found = network((grid @ rotation.T + 0.1)[order], x[order], batch).scalar.detach()
        wanted = expected[order] if level == "node" else expected
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    if level == "node":  # and has its symmetry
        assert len(expected[:, 0].mul(1e8).round().unique()) == 4


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"attention": False}, {"layers": [0, 1]}, {"layers": [2]}])
def test_derivatives_are_right(options: dict[str, Any]) -> None:
    network = build(hidden_channels=4, basis_channels=4, num_orientations=4, **options)
    testing.assert_gradients(network, inputs(network, [5, 1]), wrt=("pos",), parameters=True)


@pytest.mark.parametrize("sizes", [[0], [0, 0], [1], [1, 2, 0, 3], [9]])
@pytest.mark.parametrize("level", ["node", "graph"])
def test_batches_of_any_size_have_finite_derivatives(sizes: list[int], level: str) -> None:
    network = build(level=level, layers=[1, 1, 1])
    given = inputs(network, sizes)
    testing.assert_finite_derivatives(network, given)
    at_one_place = {**given, "pos": torch.zeros_like(given["pos"])}
    testing.assert_finite_derivatives(network, at_one_place)


def test_points_without_edges_keep_their_own_features() -> None:
    network = build(level="node", layers=[1, 1])
    given = inputs(network)
    none = torch.zeros(2, 0, dtype=torch.int64)
    found = network(**given, edge_index=none)
    assert all(bool(part.isfinite().all()) for part in found)
    assert not torch.allclose(found.scalar, network(**given).scalar)


def test_forces_can_be_trained() -> None:
    """The gradient of a force loss, against differences."""
    network = build("bundle", layers=[1, 1], in_vectors=0, out_vectors=0, out_channels=1)
    given = inputs(network, [7, 3])
    weight = network.blocks[1][0].conv.query.weight

    def loss() -> Tensor:
        pos = given["pos"].clone().requires_grad_()
        energy = network(**{**given, "pos": pos}).scalar
        (force,) = torch.autograd.grad(energy.sum(), pos, create_graph=True)
        return force.square().sum()

    (slope,) = torch.autograd.grad(loss(), weight)
    step = torch.zeros_like(weight)
    step[1, 2] = 1e-5
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * step
        ends.append(float(loss().detach()))
        with torch.no_grad():
            weight -= sign * step
    assert float(slope[1, 2]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("representation", ["bundle", "position", "edges"])
def test_a_neighbour_enters_smoothly_at_the_cutoff(representation: str) -> None:
    vectors = {"in_vectors": 0, "out_vectors": 0}
    network = build(representation, layers=[2], radius=1.0, **vectors)
    x, batch = random(3, 2, seed=1), torch.zeros(3, dtype=torch.int64)

    def outputs(distance: float) -> Tensor:
        pos = torch.tensor([[0.0, 0, 0], [0.3, -0.3, 0], [0, distance, 0]], dtype=torch.float64)
        return network(pos, x, batch).scalar.detach()

    jump = (outputs(1 - 1e-6) - outputs(1 + 1e-6)).abs().max()
    if representation == "edges":  # whose points appear with their edges, in PONITA as well
        assert jump < 10
    else:
        assert jump < 1e-8
    assert (outputs(0.5) - outputs(1.5)).abs().max() > 1e-4


def test_the_cutoff_window_counts_exactly_what_is_within() -> None:
    """Given edges beyond the cutoff change nothing: they have no part in the softmax."""
    network = build("position", layers=[1], radius=1.0)
    given = inputs(network, [8])
    pos = given["pos"]
    every = torch.cartesian_prod(torch.arange(8), torch.arange(8)).T
    length = (pos[every[0]] - pos[every[1]]).norm(dim=1)
    near = every[:, length < 1]
    assert 8 < near.shape[1] < 64
    for edges in (every, near):
        assert_close(network(**given, edge_index=edges), network(**given))


def test_coordinates_as_inputs() -> None:
    rotations = list(EXACT["bundle"][1].double())
    options = {**EXACT["bundle"][0], "layers": [1, 1]}
    for in_channels in (0, 2):
        network = build(coordinates="equivariant", in_channels=in_channels, **options)
        testing.assert_equivariant(network, inputs(network), rotations=rotations)
        plain = build(in_channels=in_channels, **options)
        assert not torch.allclose(network(**inputs(network)).scalar, plain(**inputs(plain)).scalar)
    broken = build(coordinates="symmetry_breaking", **options)
    given = inputs(broken)
    testing.assert_permutation_equivariant(broken, given, batch=given["batch"], node_outputs=())
    assert_close(broken(**{**given, "pos": given["pos"] + 3.0}), broken(**given))
    with pytest.raises(AssertionError, match="not equivariant"):
        testing.assert_equivariant(broken, given, rotations=rotations[1:2])


def test_scales_may_have_bases_of_their_own() -> None:
    shared, own = build(layers=[1, 1, 1]), build(layers=[1, 1, 1], share_basis=False)
    basis = sum(p.numel() for p in shared.representations[0].parameters())
    total = sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters())
    assert total == 2 * basis
    given = inputs(own)
    testing.assert_batch_independent(own, given, level="graph")
    testing.assert_equivariant(own, given, rotations=list(-torch.eye(3).double()[None]))


def test_conditions_recomputation_and_written_form() -> None:
    network = build(layers=[1, 1], condition_channels=1, level="node")
    given = {**inputs(network), "condition": random(5, 1, seed=4)}
    expected = network(**given)
    network.recompute = True
    assert_close(network(**given), expected)
    network.backend = "textbook"
    assert_close(network(**given), expected)
    other = given["condition"].clone()
    other[0] += 1
    changed = (network(**{**given, "condition": other}).scalar - expected.scalar).abs().amax(1)
    assert (changed > 1e-8).tolist() == (given["batch"] == 0).tolist()
    with pytest.raises(ValueError, match="condition must have shape"):
        network(**inputs(network))


def test_calibration_keeps_deviations_at_every_scale() -> None:
    network = build(layers=[1, 1, 1], level="node")
    given = inputs(network, [30, 20])
    network.calibrate(**given)
    ratios: list[float] = []

    def measure(module: nn.Module, args: Any, named: Any, out: Tensor) -> None:
        ratios.append(float(out.detach().std() / args[0].detach().std()))

    parts = [*network.pooling, *network.unpooling]
    for part in parts:
        with torch.no_grad():
            part.bias.zero_()
        part.register_forward_hook(measure, with_kwargs=True)
    network(**given)
    # Later ones see the rescaled features of those before, which calibration did not.
    assert len(ratios) == 4 and all(0.2 < ratio < 5 for ratio in ratios)
    with pytest.raises(RuntimeError, match="already calibrated"):
        network.calibrate(**given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": []}, "layers must have an entry for each scale"),
        ({"layers": [1, 0]}, "of which the last is at least 1"),
        ({"layers": [-1, 1]}, "layers must be at least 0"),
        ({"layers": 3}, "layers must be a list of integers, got 3"),
        ({"ratio": 1.0}, "ratio must be above 0 and below 1, got 1.0"),
        ({"num_neighbors": 0}, "num_neighbors must be at least 1"),
        ({"coarsest": "all"}, "coarsest must be"),
        ({"coordinates": "yes"}, "coordinates must be"),
        ({"attention_channels": 0}, "attention_channels must be at least 1"),
        ({"radius": 1.0}, "radius must be null with several scales"),
        ({"radius": 1.0, "layers": [1], "coarsest": "nearest"}, "radius must be null"),
        ({"radius": 1.0, "layers": [1], "coordinates": "equivariant"}, "coordinates must be"),
        ({"representation": "edges"}, '"edges" has one scale'),
        ({"representation": "bundle_full", "attention": False}, '"bundle_full" has one scale'),
        ({"representation": "bundle_full", "layers": [1]}, "blocks.attention must be false"),
        ({"representation": "position", "coordinates": "equivariant"}, "has no vectors"),
        ({"representation": "position", "in_vectors": 1}, "has no vectors"),
        ({"backend": "shared"}, 'must be "auto", "fused" or "textbook" with attention'),
        ({"backend": "lattice", "attention": False}, 'backend "lattice" needs the argument'),
        ({"representation": "sphere"}, "representation must be"),
        ({"level": "edge"}, "level must be"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_periodic_structures_need_one_complete_scale() -> None:
    pbc, cell = torch.ones(5, 3, dtype=torch.bool), 4 * torch.eye(3).double().expand(5, 3, 3)
    for options in ({"layers": [1, 1]}, {"layers": [1], "coarsest": "nearest"}):
        network = build(**options)
        given = inputs(network)
        with pytest.raises(ValueError, match="scales does not support periodic structures"):
            network.neighbors(given["pos"], given["batch"], num_graphs=5, cell=cell, pbc=pbc)
    network = build(layers=[2], radius=1.5)
    testing.assert_periodic(network)
    with pytest.raises(ValueError, match="radius must be set for periodic"):
        network = build(layers=[2])
        network.neighbors(given["pos"], given["batch"], num_graphs=5, cell=cell, pbc=pbc)


def test_lists_of_another_network_are_refused() -> None:
    two, three = build(layers=[1, 1]), build(layers=[1, 1, 1])
    given = inputs(two)
    found = two.neighbors(given["pos"], given["batch"], num_graphs=5)
    assert two.neighbors(given["pos"], given["batch"], found, num_graphs=5) is found
    assert_close(two(**given, edge_index=found), two(**given))
    with pytest.raises(ValueError, match="edge_index must have 3 scales, as the model, got 2"):
        three(**given, edge_index=found)


@pytest.mark.thorough
def test_compiled_where_points_are_chosen_outside() -> None:
    network = build(layers=[1, 1], level="node")
    given = inputs(network)
    found = network.neighbors(given["pos"], given["batch"], num_graphs=5)
    testing.assert_compiles(network, {**given, "edge_index": found})
    with pytest.raises(AssertionError, match="cannot be compiled or exported"):
        testing.assert_compiles(network, given)
