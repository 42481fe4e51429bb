"""What Ponita refuses, and how it says so."""

import pytest
import torch
from ponita_cases import batch_of, build

OPTIONS = [
    ({"in_channels": 0, "in_vectors": 0}, "in_channels and in_vectors must be .* not both 0"),
    ({"out_channels": -1}, "out_channels and out_vectors must be at least 0"),
    ({"level": "edge"}, 'level must be "node" or "graph", got \'edge\''),
    ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
    ({"degree": 0}, "degree must be at least 1, got 0"),
    ({"dim": 4}, "dim must be 2 or 3, got 4"),
    ({"radius": 0.0}, "radius must be positive or None, got 0.0"),
    ({"radius": -2.0}, "radius must be positive or None, got -2.0"),
    ({"radius": 1e300}, r"radius must be at most 1e\+15, got 1e\+300"),
    ({"layer_scale": float("nan")}, "layer_scale must be finite, got nan"),
    ({"condition_channels": -1}, "condition_channels must be at least 0, got -1"),
    ({"representation": "sphere"}, "representation must be .*, got 'sphere'"),
    ({"representation": "position", "in_vectors": 1}, '"position" has no vectors'),
    ({"representation": "position", "out_vectors": 1}, '"position" has no vectors'),
    ({"representation": "edges", "interaction": "all"}, "interaction must be .*, got 'all'"),
    ({"orientation_kind": "so3"}, "kind must be .*, got 'so3'"),
    ({"orientation_kind": "se2"}, "requires orientations of dimension 2, got 3"),
    ({"grid": "cubic"}, "grid must be one of .*, got 'cubic'"),
    ({"grid": torch.full((4, 3), 0.5)}, "grid must hold unit vectors, got"),
    ({"grid": torch.eye(3)}, r"grid must have shape \(4, 3\), got \(3, 3\)"),
    ({"num_orientations": 0}, "num_orientations must be at least 1, got 0"),
    ({"num_orientations": 5}, "num must be an even number of orientations .*, got 5"),
    (
        {"backend": "fast"},
        'backend must be "auto", "lattice", "shared", "fused", "triton" or "textbook", got \'fast',
    ),
    ({"backend": "lattice"}, 'backend "lattice" needs the argument lattice'),
    (
        {"backend": "lattice", "lattice": [2, 2, 2], "representation": "edges"},
        'backend "lattice" needs the argument lattice and a representation other than',
    ),
    ({"lattice": [4, 4]}, r"lattice must be 3 integers of at least 2, got \[4, 4\]"),
    ({"lattice": [4, 4, 1]}, r"lattice must be 3 integers of at least 2, got \[4, 4, 1\]"),
    ({"lattice": [4, 4, 2.5]}, "lattice must be 3 integers of at least 2"),
    ({"backend": "shared", "grid": "fibonacci"}, 'backend "shared" needs'),
    ({"backend": "shared", "representation": "edges"}, 'backend "shared" needs'),
    ({"backend": "shared", "representation": "bundle_full"}, 'backend "shared" needs'),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=[m for _, m in OPTIONS])
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


SHAPES = [
    ("pos", lambda v: v[:, :2], r"pos must have shape \(7, 3\), got \(7, 2\)"),
    ("x", lambda v: v[:, :1], r"x must have shape \(7, 2\), got \(7, 1\)"),
    ("x", lambda v: v[:3], r"x must have shape \(7, 2\), got \(3, 2\)"),
    ("x", lambda v: None, r"x must have shape \(7, 2\), got None"),
    ("vec", lambda v: v[..., :2], r"vec must have shape \(7, 1, 3\), got \(7, 1, 2\)"),
    ("vec", lambda v: None, r"vec must have shape \(7, 1, 3\), got None"),
    ("batch", lambda v: v[:5], r"batch must have shape \(7,\), got \(5,\)"),
    ("batch", lambda v: v.flip(0), "batch must be sorted"),
]


@pytest.mark.parametrize(("name", "spoil", "message"), SHAPES, ids=[m for *_, m in SHAPES])
def test_inputs_of_the_wrong_shape_are_refused(name, spoil, message):
    model = build()
    inputs = batch_of([4, 3], model=model)
    for call in (model, model.calibrate):
        with pytest.raises(ValueError, match=message):
            call(**inputs | {name: spoil(inputs[name])})
    assert not model.calibrated


@pytest.mark.parametrize("node", [-1, 7, 100])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("representation", ["bundle", "bundle_full", "edges", "position"])
def test_edges_to_nodes_that_do_not_exist_are_refused(representation, row, node):
    model = build(representation)
    edge_index = torch.tensor([[0, 1], [1, 0]])
    edge_index[row, 1] = node
    with pytest.raises(IndexError, match="edge_index must be in 0..6, got"):
        model(**batch_of([4, 3], model=model) | {"edge_index": edge_index})


def test_edges_must_have_two_rows():
    model = build()
    with pytest.raises(ValueError, match=r"edge_index must have shape \(2, E\), got \(3, 3\)"):
        model(**batch_of([4, 3], model=model) | {"edge_index": torch.zeros(3, 3).long()})


def test_no_edges_at_all_are_fine():
    model = build()
    none = {"edge_index": torch.zeros(2, 0, dtype=torch.int64)}
    assert torch.isfinite(model(**batch_of([4, 3], model=model) | none).scalar).all()


def test_nan_positions_are_refused_where_they_choose_the_edges():
    model = build(radius=2.0)
    inputs = batch_of([4, 3], model=model)
    inputs["pos"][5, 1] = torch.nan
    with pytest.raises(ValueError, match="pos must be finite, got NaN or infinite"):
        model(**inputs)


@pytest.mark.parametrize("backend", ["shared", "textbook"])
def test_nan_positions_show_in_their_graph_alone(backend):
    model = build(level="graph", backend=backend)
    inputs = batch_of([4, 3], model=model)
    inputs["pos"][5, 1] = torch.nan
    scalar = model(**inputs).scalar
    assert torch.isfinite(scalar[0]).all()
    assert torch.isnan(scalar[1]).all()
