"""Kernels that depend on a number of the graph."""

import pytest
import torch

from geozoo.models import Ponita
from geozoo.options import in_groups

REPRESENTATIONS = {
    "bundle": {"representation": "bundle", "num_orientations": 6},
    "bundle_full": {"representation": "bundle_full", "num_orientations": 4},
    "frames": {"representation": "frames", "num_orientations": 12},
    "edges": {"representation": "edges"},
    "position": {"representation": "position"},
}


def build(name, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 2}
        return Ponita(
            2, 3, **in_groups(Ponita, {**REPRESENTATIONS[name], **sizes, **options})
        ).double()


def inputs():
    generator = torch.Generator().manual_seed(0)
    batch = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    pos = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    x = torch.randn(7, 2, generator=generator, dtype=torch.float64)
    return {"pos": pos, "x": x, "batch": batch, "num_graphs": 2}


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_condition_of_a_graph_changes_that_graph_alone(name):
    model = build(name, condition_channels=1)
    first = model(**inputs(), condition=torch.tensor([[0.3], [0.5]]).double()).scalar
    second = model(**inputs(), condition=torch.tensor([[0.3], [0.9]]).double()).scalar
    torch.testing.assert_close(first[0], second[0])
    assert (first[1] - second[1]).abs().max() > 1e-6


@pytest.mark.parametrize("name", ["bundle", "position"])
def test_shared_kernels_equal_the_textbook(name):
    condition = torch.tensor([[0.3, -1.0], [0.5, 2.0]]).double()
    values = []
    for backend in ("shared", "textbook"):
        model = build(name, condition_channels=2, backend=backend)
        given = inputs()
        given["pos"].requires_grad_(True)
        out = model(**given, condition=condition).scalar
        values.append((out, torch.autograd.grad(out.square().sum(), given["pos"])[0]))
    torch.testing.assert_close(*(out for out, _ in values), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*(grad for _, grad in values), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_condition_0_with_no_weight_on_it_is_no_condition(name):
    plain, conditioned = build(name), build(name, condition_channels=1)
    state = plain.state_dict()
    key = "representation.basis.linear_1.weight"
    columns = conditioned.representation.basis.features
    wide = torch.zeros_like(conditioned.state_dict()[key])
    generator = torch.Generator().manual_seed(1)
    probe = torch.randn(40, columns.in_features, generator=generator, dtype=torch.float64)
    probe[:, -1] = 0.0
    # Monomials with the condition vanish at condition 0; the others are those of the plain basis.
    with_condition = columns(probe)
    without = plain.representation.basis.features(probe[:, :-1])
    for place in range(without.shape[1]):
        same = (with_condition - without[:, place : place + 1]).abs().amax(0) < 1e-12
        wide[:, same.nonzero()[0, 0]] += state[key][:, place]
    conditioned.load_state_dict({**state, key: wide})
    given = inputs()
    expected = plain(**given).scalar
    found = conditioned(**given, condition=torch.zeros(2, 1).double()).scalar
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("channels", "condition", "message"),
    [
        (1, None, r"condition must have shape \(2, 1\), got None"),
        (1, torch.zeros(7, 1), r"condition must have shape \(2, 1\), got shape \(7, 1\)"),
        (0, torch.zeros(2, 1), r"condition must be None for this model"),
    ],
)
def test_wrong_conditions_are_refused(channels, condition, message):
    with pytest.raises(ValueError, match=message):
        build("position", condition_channels=channels)(**inputs(), condition=condition)
