"""Frames: exact under their own rotations, and not blind to mirrors."""

import pytest
import torch

from geozoo import testing
from geozoo.data import Chirality, LoaderOptions
from geozoo.geometry import platonic_rotations
from geozoo.models import Ponita
from geozoo.nn import FrameRepresentation
from geozoo.options import in_groups

SIZES = {"hidden_channels": 8, "basis_channels": 8, "degree": 2}


def build(frames=12, seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        given = {"in_vectors": 1, "out_vectors": 2, "num_layers": 2, **SIZES, **options}
        return Ponita(
            2,
            3,
            representation="frames",
            **in_groups(Ponita, {"num_orientations": frames, **given}),
        ).double()


def inputs():
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    return {
        "pos": torch.randn(7, 3, **options),
        "x": torch.randn(7, 2, **options),
        "vec": torch.randn(7, 1, 3, **options),
        "batch": torch.tensor([0, 0, 0, 1, 1, 1, 1]),
        "num_graphs": 2,
    }


@pytest.mark.parametrize(("frames", "vertices"), [(12, 4), (24, 6)])
@pytest.mark.parametrize("level", ["node", "graph"])
def test_rotations_of_the_polyhedron_are_followed_exactly(frames, vertices, level):
    model = build(frames, level=level)
    testing.assert_equivariant(model, inputs(), rotations=platonic_rotations(vertices)[1::5])


def test_mirror_images_are_told_apart():
    given = inputs()
    mirrored = {**given, "pos": -given["pos"], "vec": -given["vec"]}
    frames, bundle = (
        build(),
        Ponita(2, 3, in_vectors=1, **in_groups(Ponita, {"num_orientations": 12, **SIZES})).double(),
    )
    assert (frames(**given).scalar - frames(**mirrored).scalar).abs().max() > 1e-4
    torch.testing.assert_close(bundle(**given).scalar, bundle(**mirrored).scalar)


def test_layer_is_the_sum_that_the_equations_say():
    """One convolution, written as loops over edges and pairs of frames."""
    representation = FrameRepresentation(12, radius=2.0, **SIZES).double()
    conv = representation.make_conv(3, depthwise=True).double()
    generator = torch.Generator().manual_seed(1)
    pos = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    x = torch.randn(3, 12, 3, generator=generator, dtype=torch.float64)
    edges = torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]])
    geometry = representation.geometry(pos, edges, torch.zeros(3, dtype=torch.int64))
    found = conv(x, **geometry.neighborhood)
    frames = representation.frames
    spatial = torch.zeros(3, 12, 3, dtype=torch.float64)
    for sender, receiver in edges.T.tolist():
        way = pos[sender] - pos[receiver]
        window = representation.window(way.norm())
        for p in range(12):
            kernel = conv.kernel(representation.basis(frames[p].T @ way)) * window
            spatial[receiver, p] += kernel * x[sender, p]
    expected = torch.zeros_like(spatial)
    for p in range(12):
        for o in range(12):
            relative = (frames[p].T @ frames[o]).flatten()
            kernel = conv.fiber_kernel(representation.fiber_basis(relative))
            expected[:, p] += kernel * spatial[:, o] / 12
    torch.testing.assert_close(found, expected + conv.bias)


def test_vectors_come_back_from_the_frames():
    representation = FrameRepresentation(24, radius=None, **SIZES).double()
    given = inputs()
    geometry = representation.geometry(
        given["pos"], torch.zeros(2, 0, dtype=torch.int64), given["batch"]
    )
    lifted = representation.lift(given["x"], given["vec"], geometry)
    scalar, vector = representation.project(lifted, 2, geometry)
    torch.testing.assert_close(scalar, given["x"])
    torch.testing.assert_close(vector, given["vec"])


def test_derivatives_are_right():
    model = build(num_layers=1)
    testing.assert_gradients(model, inputs(), wrt=("pos",))


def test_bad_choices_are_refused():
    with pytest.raises(ValueError, match="num_frames must be one of 12, 24, 60, got 20"):
        build(20)
    with pytest.raises(ValueError, match='dim must be 3 for representation "frames"'):
        build(12, dim=2)


@pytest.mark.slow
def test_chirality_is_learnt_by_frames_and_by_nothing_that_reflections_leave():
    data = Chirality(loader=LoaderOptions(batch_size=100))
    test = data.store.gather(data.splits["test"])

    def wrong(representation):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            sizes = {"hidden_channels": 32, "basis_channels": 32, "degree": 1, "num_layers": 2}
            model = Ponita(
                4,
                2,
                representation=representation,
                **in_groups(Ponita, {"num_orientations": 12, **sizes}),
            )
        generator = torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(1200):
            index = torch.randint(0, 2000, (100,), generator=generator)
            batch = data.store.gather(index)
            optimizer.zero_grad()
            scores = model(batch.pos, batch.x, batch.batch, num_graphs=100).scalar
            torch.nn.functional.cross_entropy(scores, batch.y).backward()
            optimizer.step()
        scores = model(test.pos, test.x, test.batch, num_graphs=1000).scalar
        return (scores.argmax(1) != test.y).double().mean().item()

    assert wrong("frames") < 0.1
    assert wrong("bundle") > 0.4
