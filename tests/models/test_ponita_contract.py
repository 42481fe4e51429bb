"""The contract of `geozoo.testing` for every representation of Ponita, in 2D and 3D."""

import itertools

import pytest
import torch
from ponita_cases import REPRESENTATIONS, batch_of, build, grid_options, grid_rotations

from geozoo import testing

VARIANTS = list(itertools.product(REPRESENTATIONS, (2, 3), (True, False), ("node", "graph")))
NAMES = [f"{r}-{d}D-{'depthwise' if w else 'full'}-{level}" for r, d, w, level in VARIANTS]


def make(variant, **options):
    representation, dim, depthwise, level = variant
    radius = 3.0 if level == "graph" else None
    given = {"depthwise": depthwise, "level": level, "radius": radius, **options}
    return build(representation, dim=dim, **given)


def node_outputs(variant):
    return ("scalar", "vector") if variant[3] == "node" else ()


@pytest.fixture(params=VARIANTS, ids=NAMES)
def variant(request):
    return request.param


def test_motions_are_followed_exactly(variant):
    representation, dim, *_ = variant
    grid = grid_options(representation, dim)
    model = make(variant, **grid)
    inputs = batch_of([4, 3], model=model)
    rotations = grid_rotations(dim) if grid else None
    testing.assert_equivariant(model, inputs, rotations=rotations)
    # In the plane, orientations tell left from right: mirror images differ, but for distances.
    if dim == 3 or representation == "position":
        mirrored = None if rotations is None else -rotations
        testing.assert_equivariant(model, inputs, rotations=mirrored, reflect=True)
    else:
        with pytest.raises(AssertionError, match="is not equivariant under transformation"):
            mirror = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
            testing.assert_equivariant(model, inputs, rotations=[mirror])


def test_order_of_nodes_does_not_matter(variant):
    model = make(variant)
    inputs = batch_of([4, 3, 1], model=model)
    options = {"batch": inputs["batch"], "node_outputs": node_outputs(variant)}
    testing.assert_permutation_equivariant(model, inputs, **options)
    edges = {"edge_index": torch.tensor([[0, 1, 2, 3, 4, 6, 5, 7], [1, 0, 1, 2, 5, 5, 6, 7]])}
    testing.assert_permutation_equivariant(model, inputs | edges, **options)


def test_graphs_of_a_batch_do_not_meet(variant):
    model = make(variant)
    inputs = batch_of([4, 0, 3, 1, 0], model=model)
    testing.assert_batch_independent(model, inputs, level=variant[3])


# Finite differences are slow: each of the two levels in one dimension only.
@pytest.mark.thorough
@pytest.mark.parametrize("variant", [v for v in VARIANTS if (v[1] == 3) == (v[3] == "graph")])
def test_derivatives_are_right_to_second_order(variant):
    model = make(variant)
    inputs = batch_of([3, 1], model=model)
    wrt = ("pos", "x", "vec") if "vec" in inputs else ("pos", "x")
    testing.assert_gradients(model, inputs, wrt=wrt)


def test_derivatives_are_finite_at_singular_points(variant):
    model = make(variant)
    inputs = batch_of([4, 1], model=model)
    pos = torch.zeros_like(inputs["pos"])
    pos[2, 0], pos[3, -1] = 1.0, -1.0  # two atoms at one place, others on the axes
    testing.assert_finite_derivatives(model, inputs | {"pos": pos})


def test_dtype_is_kept(variant):
    model = make(variant)
    testing.assert_dtype_kept(model, batch_of([4, 3], model=model))


def test_a_calibrated_model_survives_saving(variant):
    model = make(variant)
    inputs = batch_of([4, 3], model=model)
    model.calibrate(**inputs)
    testing.assert_survives_saving(model, lambda: make(variant, seed=1), inputs)


def test_every_parameter_gets_a_gradient(variant):
    model = make(variant)
    out = model(**batch_of([4, 3], model=model))
    sum(part.square().sum() for part in out if part is not None).backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("representation", ["bundle", "bundle_full", "position"])
def test_given_edges_compile_to_one_graph(representation):
    model = build(representation)
    edges = {"edge_index": torch.tensor([[0, 1, 2, 3, 4, 6, 5], [1, 0, 1, 2, 5, 5, 6]])}
    testing.assert_compiles(model, batch_of([4, 3], model=model) | edges)


@pytest.mark.parametrize("representation", ["bundle", "bundle_full", "position"])
@pytest.mark.parametrize("dim", [2, 3])
def test_energy_and_force_are_continuous_across_the_cutoff(representation, dim):
    model = build(representation, dim=dim, radius=1.5)
    inputs = batch_of([2], model=model)

    def energy_and_force(distance):
        pos = torch.zeros(2, dim, dtype=torch.float64)
        pos[1, 0] = distance
        pos.requires_grad_()
        energy = model(**inputs | {"pos": pos}).scalar.sum()
        return energy.detach(), torch.autograd.grad(energy, pos)[0]

    near, inside, outside = (energy_and_force(1.5 + step) for step in (-0.5, -1e-6, 1e-6))
    assert (near[0] - outside[0]).abs() > 1e-6, "the neighbour must matter inside the cutoff"
    assert (inside[0] - outside[0]).abs() < 1e-9
    assert (inside[1] - outside[1]).abs().max() < 1e-7
    assert outside[1].abs().max() == 0


def test_se2_invariants_keep_the_plane_equivariant():
    for representation in ("bundle", "bundle_full", "edges"):
        grid = grid_options(representation, 2)
        model = build(representation, dim=2, orientation_kind="se2", **grid)
        rotations = grid_rotations(2) if grid else None
        testing.assert_equivariant(model, batch_of([4, 3], model=model), rotations=rotations)


def test_interaction_of_all_lifted_edges_keeps_the_contract():
    model = build("edges", interaction="complete")
    inputs = batch_of([4, 3], model=model)
    edges = {"edge_index": torch.tensor([[0, 1, 1, 2, 2, 3, 4, 5], [1, 0, 2, 1, 3, 2, 5, 4]])}
    testing.assert_equivariant(model, inputs | edges, reflect=True)
    testing.assert_batch_independent(model, inputs | edges, level="graph")
    fewer = build("edges", interaction="edges")
    fewer.load_state_dict(model.state_dict())
    difference = model(**inputs | edges).scalar - fewer(**inputs | edges).scalar
    assert difference.abs().max() > 1e-6


@pytest.mark.parametrize(("scalars", "vectors"), [(1, 0), (0, 1), (2, 3)])
def test_outputs_without_channels_are_none(scalars, vectors):
    for level, rows in (("node", 7), ("graph", 2)):
        model = build(out_channels=scalars, out_vectors=vectors, level=level)
        out = model(**batch_of([4, 3], model=model))
        assert (out.scalar is None) == (scalars == 0)
        assert (out.vector is None) == (vectors == 0)
        if scalars:
            assert out.scalar.shape == (rows, scalars)
        if vectors:
            assert out.vector.shape == (rows, vectors, 3)


@pytest.mark.parametrize("multiple", [True, False])
def test_output_is_the_mean_of_the_readouts(multiple):
    model = build("position", level="node", multiple_readouts=multiple, num_layers=3)
    parts = []
    for readout in model.readouts:
        readout.register_forward_hook(lambda module, given, out: parts.append(out))
    scalar = model(**batch_of([4, 3], model=model)).scalar
    assert len(parts) == (3 if multiple else 1)
    torch.testing.assert_close(scalar, torch.stack(parts).mean(0))


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_graph_output_is_the_sum_over_its_nodes(representation):
    nodes, graphs = (build(representation, level=level) for level in ("node", "graph"))
    inputs = batch_of([4, 0, 3], model=nodes)
    for each, total in zip(nodes(**inputs), graphs(**inputs), strict=True):
        if each is not None:
            expected = torch.stack([each[:4].sum(0), each[:0].sum(0), each[4:].sum(0)])
            torch.testing.assert_close(total, expected)
