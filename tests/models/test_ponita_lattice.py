"""Images as regular point sets: the dense path gives what the textbook path gives."""

import pytest
import torch
from ponita_cases import build, random

from geozoo.geometry import complete_graph, lattice_indices, random_rotations
from geozoo.nn.representation import lattice_geometry

SHAPES = {2: [4, 5], 3: [3, 2, 4]}
MODELS = {
    "bundle 2": ("bundle", {"dim": 2}),
    "bundle 3": ("bundle", {"dim": 3}),
    "se2": ("bundle", {"dim": 2, "orientation_kind": "se2"}),
    "full fibre": ("bundle", {"dim": 2, "depthwise": False}),
    "frames": ("frames", {"dim": 3, "num_orientations": 12}),
    "position 2": ("position", {"dim": 2}),
    "position 3": ("position", {"dim": 3}),
    "position full": ("position", {"dim": 2, "depthwise": False}),
    "odd grid": ("bundle", {"dim": 2, "num_orientations": 5}),
}


def both(name, **options):
    representation, given = MODELS[name]
    given = {"lattice": SHAPES[given["dim"]], **given, **options}
    dense = build(representation, **given)
    textbook = build(representation, seed=1, backend="textbook", **given)
    textbook.load_state_dict(dense.state_dict())
    assert dense.backend == "lattice"
    return dense, textbook


def images(model, *, turned):
    """Two images, alike or each turned and stretched in its own way."""
    index = lattice_indices(model.lattice).double()
    steps = torch.eye(model.dim).double().repeat(2, 1, 1)
    if turned:
        turns = random_rotations(2, model.dim, generator=torch.Generator().manual_seed(0))
        steps = turns.double() * torch.tensor([0.8, 1.2]).view(2, 1, 1).double()
    pos = (index @ steps - 1.0).flatten(0, 1)
    inputs = {
        "pos": pos,
        "x": random(len(pos), 2, seed=1),
        "batch": torch.arange(2).repeat_interleave(len(index)),
    }
    if model.in_vectors:
        inputs["vec"] = random(len(pos), 1, model.dim, seed=2)
    return inputs


def derivatives(model, inputs):
    """Outputs, first derivatives by features and weights, and those of a square of the first."""
    x = inputs["x"].clone().requires_grad_()
    out = [part for part in model(**inputs | {"x": x}) if part is not None]
    variables = [x, *model.parameters()]
    options = {"create_graph": True, "allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(sum((p * p + p).sum() for p in out), variables, **options)
    second = torch.autograd.grad(first[0].square().sum(), variables, **options)
    return [*out, *first, *second]


@pytest.mark.thorough
@pytest.mark.parametrize("level", ["graph", "node"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("radius", [None, 2.3, 0.4])
@pytest.mark.parametrize("name", MODELS)
def test_dense_path_equals_the_textbook(name, radius, turned, level):
    dense, textbook = both(name, radius=radius, level=level)
    inputs = images(dense, turned=turned)
    found, expected = derivatives(dense, inputs), derivatives(textbook, inputs)
    for actual, value in zip(found, expected, strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("turned", [False, True])
def test_kernels_that_depend_on_the_graph(turned):
    dense, textbook = both("bundle 2", condition_channels=2, radius=2.3)
    inputs = images(dense, turned=turned) | {"condition": random(2, 2, seed=3)}
    for actual, value in zip(dense(**inputs), textbook(**inputs), strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["bundle 2", "position 3"])
def test_calibration_does_not_depend_on_the_path(name):
    dense, textbook = both(name)
    inputs = images(dense, turned=False)
    dense.calibrate(**inputs)
    textbook.calibrate(**inputs)
    for key, value in dense.state_dict().items():
        torch.testing.assert_close(value, textbook.state_dict()[key], rtol=1e-9, atol=1e-12)


def test_turning_an_image_by_a_step_of_the_grid_changes_no_scalar():
    dense, _ = both("bundle 2", radius=2.3, num_orientations=6)
    inputs = images(dense, turned=False)
    angle = torch.tensor(torch.pi / 3, dtype=torch.float64)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    turned = inputs | {"pos": inputs["pos"] @ turn.T, "vec": inputs["vec"] @ turn.T}
    before, after = dense(**inputs), dense(**turned)
    torch.testing.assert_close(after.scalar, before.scalar, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(after.vector, before.vector @ turn.T, rtol=1e-10, atol=1e-10)


def test_an_image_does_not_depend_on_its_batch():
    dense, _ = both("bundle 2", radius=2.3)
    inputs = images(dense, turned=True)
    half = len(inputs["pos"]) // 2
    alone = {name: value[half:] for name, value in inputs.items()} | {
        "batch": inputs["batch"][:half]
    }
    together, single = dense(**inputs), dense(**alone)
    for part, other in zip(together, single, strict=True):
        torch.testing.assert_close(part[1:], other, rtol=1e-10, atol=1e-10)


def test_no_image_at_all():
    dense, _ = both("bundle 2")
    inputs = {name: value[:0] for name, value in images(dense, turned=False).items()}
    assert dense(**inputs, num_graphs=0).scalar.shape == (0, 2)


def test_derivatives_by_positions_are_those_of_the_textbook():
    dense, textbook = both("bundle 2")
    grads = []
    for model in (dense, textbook):
        inputs = images(dense, turned=False)
        inputs["pos"].requires_grad_()
        (grad,) = torch.autograd.grad(model(**inputs).scalar.square().sum(), inputs["pos"])
        grads.append(grad)
    torch.testing.assert_close(*grads)


def test_edges_of_the_caller_are_used():
    dense, textbook = both("bundle 2")
    inputs = images(dense, turned=False)
    edges = {"edge_index": complete_graph(inputs["batch"])[:, ::2]}
    torch.testing.assert_close(
        dense(**inputs, **edges).scalar, textbook(**inputs, **edges).scalar, rtol=1e-10, atol=1e-10
    )


def test_path_is_chosen_by_what_there_is():
    assert build("edges", lattice=[2, 2, 2]).backend == "fused"
    assert build("bundle_full", lattice=[2, 2, 2]).backend == "fused"
    assert build("bundle", lattice=[2, 2, 2], backend="shared").backend == "shared"


def test_graphs_of_other_sizes_are_refused():
    dense, _ = both("bundle 2")
    inputs = images(dense, turned=False)
    inputs["batch"] = inputs["batch"].clone()
    inputs["batch"][20] = 0  # 21 and 19 points
    with pytest.raises(ValueError, match="batch must assign 20 consecutive points"):
        dense(**inputs)


@pytest.mark.parametrize(("turned", "rows"), [(False, 1), (True, 2)])
def test_images_that_are_alike_share_their_kernels(turned, rows):
    model, _ = both("bundle 2", radius=1.5)
    given = images(model, turned=turned)
    geometry = lattice_geometry(
        model.representation, given["pos"], given["batch"], model.lattice, 2
    )
    stencil = geometry.neighborhood["edge_index"]
    assert geometry.num_nodes == len(given["pos"])
    assert stencil.reach == (1, 1) and stencil.shape == tuple(model.lattice)
    assert geometry.neighborhood["basis"].shape[:2] == (rows, 9)
