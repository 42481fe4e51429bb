"""Edges as points: pairs, invariants, lifting and projection against loops over all of them."""

from __future__ import annotations

import pytest
import torch
from layer_cases import random, seeded

import geozoo.nn as layers
from geozoo.geometry import orientation_invariants, r2s1_invariants, r3s2_invariants

#: Two graphs; a self-loop, a repeated edge, one between points at one place, a node without edges.
EDGES = torch.tensor([[0, 1, 2, 3, 3, 1, 2, 4, 6, 5], [1, 0, 1, 3, 1, 0, 0, 1, 7, 6]])
BATCH = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1])
OPTIONS = {"hidden_channels": 4, "basis_channels": 3, "degree": 2, "radius": 2.0}


def make(dim: int, **options: object) -> layers.EdgeLiftedRepresentation:
    given = {"orientation_kind": "published", **OPTIONS, **options}
    return seeded(lambda: layers.EdgeLiftedRepresentation(dim, **given))


def bundle(separable: bool) -> layers.BundleRepresentation:
    return layers.BundleRepresentation(
        3, num_orientations=4, grid="fibonacci", separable=separable,
        orientation_kind="published", **OPTIONS,
    )  # fmt: skip


def places(dim: int) -> torch.Tensor:
    pos = 0.7 * random(9, dim)
    pos[4] = pos[1]
    return pos


def written_out(representation, pos, condition, interaction="edges"):
    """Points as (sender, node), and the basis of every pair of points (from, to) that interact."""
    listed = {(int(j), int(i)) for j, i in EDGES.T if j != i and not torch.equal(pos[j], pos[i])}
    points = sorted(listed, key=lambda edge: (edge[1], edge[0]))
    arrows = [(pos[j] - pos[i]) / (pos[j] - pos[i]).norm() for j, i in points]
    spatial = r2s1_invariants if representation.dim == 2 else r3s2_invariants
    pairs, window = {}, layers.PolynomialWindow(OPTIONS["radius"])
    for a, (_, one) in enumerate(points):
        for b, (_, other) in enumerate(points):
            joined = (one, other) in listed
            if interaction == "complete":
                joined = BATCH[one] == BATCH[other]
            if not (joined or one == other):
                continue
            arm = pos[one] - pos[other]
            numbers = torch.cat(
                [
                    spatial(arm[None], arrows[b][None])[0],
                    orientation_invariants(
                        arrows[b][None], arrows[a][None], representation.orientation_kind
                    )[0],
                    *([] if condition is None else [condition[other]]),
                ]
            )
            pairs[a, b] = representation.basis(numbers[None])[0] * window(arm.norm())
    return points, torch.stack(arrows), pairs


@pytest.mark.parametrize("condition", [None, random(2, 2, seed=5)[BATCH]], ids=["plain", "told"])
@pytest.mark.parametrize("interaction", ["edges", "complete"])
@pytest.mark.parametrize(("dim", "kind"), [(2, "published"), (2, "se2"), (3, "published")])
def test_points_and_their_pairs_are_those_of_the_definition(dim, kind, interaction, condition):
    channels = 0 if condition is None else 2
    representation = make(
        dim, orientation_kind=kind, interaction=interaction, condition_channels=channels
    )
    pos = places(dim)
    points, arrows, pairs = written_out(representation, pos, condition, interaction)
    geometry = representation.geometry(pos, EDGES, BATCH, condition=condition)
    assert geometry.point_nodes.tolist() == [node for _, node in points]
    torch.testing.assert_close(geometry.point_orientations, arrows)
    found = [tuple(pair) for pair in geometry.neighborhood["edge_index"].index.T.tolist()]
    assert sorted(found) == sorted(pairs) and geometry.num_nodes == 9
    torch.testing.assert_close(
        geometry.neighborhood["basis"], torch.stack([pairs[pair] for pair in found])
    )


def test_inputs_are_lifted_to_points_and_averaged_at_nodes():
    representation, pos = make(3), places(3)
    geometry = representation.geometry(pos, EDGES, BATCH)
    points, arrows, _ = written_out(representation, pos, None)
    x, vec = random(9, 2, seed=1), random(9, 3, 3, seed=2)
    lifted = representation.lift(x, vec, geometry)
    expected = [
        torch.cat([x[i], vec[i] @ arrow]) for (_, i), arrow in zip(points, arrows, strict=True)
    ]
    torch.testing.assert_close(lifted, torch.stack(expected))
    torch.testing.assert_close(representation.lift(None, vec, geometry), lifted[:, 2:])
    torch.testing.assert_close(representation.lift(x, None, geometry), lifted[:, :2])
    scalar, vector = representation.project(lifted, 2, geometry)
    for node in range(9):
        here = [place for place, (_, i) in enumerate(points) if i == node]
        if not here:
            assert not scalar[node].any() and not vector[node].any()
            continue
        torch.testing.assert_close(scalar[node], lifted[here, :2].mean(0))
        along = torch.einsum("pv,pd->vd", lifted[here, 2:], arrows[here]) / len(here)
        torch.testing.assert_close(vector[node], along)
    with pytest.raises(ValueError, match="x or vec must be given"):
        representation.lift(None, None, geometry)
    with pytest.raises(ValueError, match=r"x must have shape \(N=9, S\)"):
        representation.lift(x[:5], None, geometry)


@pytest.mark.parametrize(
    "build",
    [
        lambda: make(3),
        lambda: layers.FrameRepresentation(12, **OPTIONS),
        lambda: layers.PositionRepresentation(3, **OPTIONS),
        lambda: bundle(True),
        lambda: bundle(False),
    ],
    ids=["edges", "frames", "positions", "bundle", "whole bundle"],
)
def test_convolutions_are_depthwise_or_full(build):
    representation = build()
    for depthwise, groups in ((True, 4), (False, 1)):
        assert representation.make_conv(4, depthwise=depthwise).groups == groups
