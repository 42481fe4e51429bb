"""The shared-kernel path gives what the textbook path gives, with its derivatives."""

import pytest
import torch
from ponita_cases import batch_of, build

from geozoo.geometry import complete_graph, radius_graph
from geozoo.ops import textbook as as_written

#: name -> (sizes of the graphs, cutoff, positions as a function of the random ones)
SCENES = {
    "ragged": ([4, 2, 3], None, lambda pos: pos),
    "window": ([4, 2, 3], 2.0, lambda pos: pos),
    "isolated": ([4, 2], 0.05, lambda pos: pos),
    "single atoms": ([1, 1, 2], None, lambda pos: pos),
    "one atom": ([1], 1.0, lambda pos: pos),
    "empty graphs": ([0, 3, 0, 2, 0], None, lambda pos: pos),
    "nothing": ([0, 0], None, lambda pos: pos),
    "coincident": ([4, 2], None, lambda pos: torch.where(torch.arange(len(pos)) < 2, 0, pos.T).T),
    "coincident in a window": ([3], 1.5, lambda pos: torch.zeros_like(pos)),
}
SHARED = [("bundle", True), ("bundle", False), ("position", True), ("position", False)]
FUSED = ["bundle", "bundle_full", "frames", "edges", "position"]


def both(representation, *, backend="shared", **options):
    shared = build(representation, backend=backend, **options)
    textbook = build(representation, backend="textbook", seed=1, **options)
    textbook.load_state_dict(shared.state_dict())
    return shared, textbook


def derivatives(model, inputs):
    """Outputs, first derivatives by positions and weights, and those of the squared forces."""
    pos = inputs["pos"].clone().requires_grad_()
    out = [part for part in model(**inputs | {"pos": pos}) if part is not None]
    objective = sum((part * part + part).sum() for part in out)
    variables = [pos, *model.parameters()]
    options = {"create_graph": True, "allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(objective, variables, **options)
    loss = first[0].square().sum()
    second = torch.autograd.grad(loss, variables, **options) if loss.requires_grad else ()
    return [*out, *first, *second]


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(("representation", "depthwise"), SHARED)
def test_backends_agree(representation, depthwise, dim, scene):
    sizes, radius, place = SCENES[scene]
    shared, textbook = both(representation, dim=dim, depthwise=depthwise, radius=radius)
    inputs = batch_of(sizes, model=shared)
    inputs["pos"] = place(inputs["pos"])
    found, expected = derivatives(shared, inputs), derivatives(textbook, inputs)
    assert len(found) == len(expected)
    for actual, value in zip(found, expected, strict=True):
        assert torch.isfinite(value).all()
        torch.testing.assert_close(actual, value, rtol=1e-9, atol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("scene", ["window", "one atom", "empty graphs"])
@pytest.mark.parametrize(
    ("representation", "backend"),
    [(name, "fused") for name in FUSED]
    + [(name, "triton") for name in ("bundle", "frames", "position")],
)
def test_sums_without_messages_agree(representation, backend, scene):
    sizes, radius, _ = SCENES[scene]
    orientations = {"num_orientations": 12} if representation == "frames" else {}
    fused, textbook = both(representation, backend=backend, radius=radius, **orientations)
    inputs = batch_of(sizes, model=fused)
    for actual, value in zip(
        derivatives(fused, inputs), derivatives(textbook, inputs), strict=True
    ):
        torch.testing.assert_close(actual, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("representation", FUSED)
def test_blocks_evaluated_again_give_the_same(representation):
    orientations = {"num_orientations": 12} if representation == "frames" else {}
    again, plain = (
        build(representation, recompute=recompute, **orientations) for recompute in (True, False)
    )
    inputs = batch_of([4, 2, 3], model=again)
    for actual, value in zip(derivatives(again, inputs), derivatives(plain, inputs), strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-12, atol=1e-12)


def kept_numbers(model):
    """How many numbers a forward pass keeps for the backward pass."""
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()), id):
        model(**batch_of([6, 6], model=model))
    return sum(sizes)


def test_blocks_evaluated_again_keep_less():
    again, plain = (build("bundle", recompute=again, num_layers=5) for again in (True, False))
    assert kept_numbers(again) < 0.4 * kept_numbers(plain)


@pytest.mark.parametrize("grid", [("platonic", 12), ("repulsion_antipodal", 6)], ids=str)
def test_backends_agree_on_other_antipodal_grids(grid):
    kind, num = grid
    shared, textbook = both("bundle", grid=kind, num_orientations=num)
    inputs = batch_of([4, 3], model=shared)
    for actual, value in zip(shared(**inputs), textbook(**inputs), strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("representation", ["bundle", "position", "bundle_full", "edges"])
@pytest.mark.parametrize("radius", [None, 1.5])
def test_built_edges_are_those_of_the_graph_functions(representation, radius):
    model = build(representation, radius=radius)
    inputs = batch_of([4, 3], model=model)
    if radius is None:
        edges = complete_graph(inputs["batch"])
    else:
        edges = radius_graph(inputs["pos"], radius, inputs["batch"])
    for actual, value in zip(model(**inputs), model(**inputs | {"edge_index": edges}), strict=True):
        if value is not None:
            torch.testing.assert_close(actual, value, rtol=1e-10, atol=1e-10)


def test_calibration_does_not_depend_on_the_backend():
    shared, textbook = both("bundle")
    inputs = batch_of([4, 3], model=shared)
    shared.calibrate(**inputs)
    textbook.calibrate(**inputs)
    for name, value in shared.state_dict().items():
        torch.testing.assert_close(value, textbook.state_dict()[name], rtol=1e-9, atol=1e-12)


def test_auto_takes_the_shared_path_where_it_can():
    assert build("bundle").backend == "shared"
    assert build("position").backend == "shared"
    assert build("bundle", dim=2, num_orientations=5).backend == "fused"
    assert build("bundle", grid="fibonacci").backend == "fused"
    assert build("bundle_full").backend == "fused"
    assert build("edges").backend == "fused"


#: name -> edges of five nodes in two graphs, [0, 1, 2] and [3, 4]
EDGES = {
    "mixed": [[0, 1, 2, 3, 0, 4, 4], [1, 0, 1, 4, 0, 3, 4]],
    "one way": [[0, 2, 3], [1, 1, 4]],
    "both ways": [[0, 1, 3, 4], [1, 0, 4, 3]],
    "loops": [[0, 2, 3], [0, 2, 3]],
    "none": [[], []],
    "twice": [[0, 0, 1], [1, 1, 0]],
    "loop twice": [[0, 0, 1], [0, 0, 0]],
    "thrice": [[0, 1, 0], [1, 0, 1]],
}


@pytest.mark.thorough
@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(("representation", "depthwise"), SHARED)
def test_backends_agree_on_edges_of_the_caller(representation, depthwise, dim, edges):
    shared, textbook = both(representation, dim=dim, depthwise=depthwise, radius=2.0)
    inputs = batch_of([3, 2], model=shared)
    inputs["edge_index"] = torch.tensor(EDGES[edges], dtype=torch.int64)
    found, expected = derivatives(shared, inputs), derivatives(textbook, inputs)
    assert len(found) == len(expected)
    for actual, value in zip(found, expected, strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backend", ["fused", "textbook"])
def test_a_model_within_the_textbook_context_is_the_textbook_model(backend):
    model, textbook = both("bundle", backend=backend)
    inputs = batch_of([4, 2], model=model)
    expected = derivatives(textbook, inputs)
    with as_written():
        found = derivatives(model, inputs)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("backend", ["fused", "textbook"])
def test_recomputed_blocks_are_recomputed_in_their_form(backend):
    plain = build("bundle", backend=backend)
    again = build("bundle", backend=backend, recompute=True)
    again.load_state_dict(plain.state_dict())
    inputs = batch_of([4, 2], model=plain)
    for model in (plain, again):
        model(**inputs).scalar.square().sum().backward()
    for one, other in zip(plain.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-12)
