"""Attention on messages and convolutions between scales against loops over edges."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from layer_cases import EDGES, random, seeded
from second_derivatives import assert_equal, derivatives
from torch import Tensor

from geozoo.geometry import farthest_points
from geozoo.nn import AttentiveConv, BundleRepresentation, FiberBundleConv, PointConv
from geozoo.nn.edges import BetweenScales, DirectedEdges, WeightedEdges
from geozoo.nn.representation import PositionRepresentation
from geozoo.ops import textbook

SIZES: dict[str, Any] = {"hidden_channels": 3, "basis_channels": 3, "degree": 2, "radius": None}


def looped_attention(
    layer: AttentiveConv, x: Tensor, basis: Tensor, window: Tensor | None
) -> Tensor:
    """Sum over edges of weight times kernel times features, at each receiver and orientation."""
    queries, keys = x @ layer.query.weight.T, x @ layer.key.weight.T
    nodes = []
    for i in range(len(x)):
        edges = [e for e in range(EDGES.shape[1]) if EDGES[1, e] == i]
        fibre = []
        for o in range(x.shape[1]):
            logits = [
                keys[EDGES[0, e], o] @ queries[i, o] / math.sqrt(keys.shape[-1]) for e in edges
            ]
            shares = [
                logit.exp() * (1 if window is None else window[e])
                for logit, e in zip(logits, edges, strict=True)
            ]
            total = torch.zeros_like(x[0, 0])
            for share, e in zip(shares, edges, strict=True):
                kernel = layer.conv.kernel.weight @ basis[e, o]
                total = total + share / sum(shares) * kernel * x[EDGES[0, e], o]
            fibre.append(total)
        nodes.append(torch.stack(fibre))
    return torch.stack(nodes)


def looped_fibre(layer: FiberBundleConv, y: Tensor, fiber_basis: Tensor) -> Tensor:
    columns = []
    for p in range(y.shape[1]):
        parts = [
            (layer.fiber_kernel.weight @ fiber_basis[o, p]) * y[:, o] for o in range(y.shape[1])
        ]
        columns.append(sum(parts) / y.shape[1])
    return torch.stack(columns, 1) + layer.bias


@pytest.mark.parametrize("with_window", [False, True])
@pytest.mark.parametrize("form", ["fast", "written"])
def test_attention_is_the_loop_over_receivers_and_edges(with_window: bool, form: str) -> None:
    layer = seeded(lambda: AttentiveConv(FiberBundleConv(4, 4, 3), 4, 6))
    x, basis = random(5, 2, 4).requires_grad_(), random(9, 2, 3, seed=1).requires_grad_()
    fiber_basis = random(2, 2, 3, seed=2)
    window = random(9, seed=3).sigmoid().requires_grad_() if with_window else None
    given = [x, basis, layer.query.weight, layer.key.weight, layer.conv.kernel.weight]
    given += [window] if window is not None else []
    with textbook(when=form == "written"):
        found = layer(x, basis, EDGES, window, fiber_basis=fiber_basis)
    y = looped_attention(layer, x, basis, window)
    expected = looped_fibre(layer.conv, y, fiber_basis)
    assert_equal(derivatives(found.square(), given), derivatives(expected.square(), given))


@pytest.mark.parametrize("groups", [1, 4])
def test_attention_on_points(groups: int) -> None:
    layer = seeded(lambda: AttentiveConv(PointConv(4, 4, 3, groups=groups), 4, 6))
    x, basis = random(5, 4), random(9, 3, seed=1)
    weight = layer.weights(x, DirectedEdges(EDGES))
    total = torch.zeros(5, dtype=torch.float64).index_add(0, EDGES[1], weight)
    torch.testing.assert_close(total, torch.ones_like(total))
    expected = []
    for i in range(5):
        parts = []
        for e in (EDGES[1] == i).nonzero()[:, 0]:
            kernel = layer.conv.kernel(basis[e])
            sent = x[EDGES[0, e]]
            parts.append(weight[e] * (kernel.view(4, 4) @ sent if groups == 1 else kernel * sent))
        expected.append(sum(parts) + layer.conv.bias)
    torch.testing.assert_close(layer(x, basis, EDGES), torch.stack(expected))


def test_softmax_of_large_logits_and_of_edges_beyond_the_cutoff() -> None:
    layer = seeded(lambda: AttentiveConv(PointConv(4, 4, 3), 4, 6))
    x = 1e3 * random(5, 4)
    weight = layer.weights(x, DirectedEdges(EDGES))
    assert bool(weight.isfinite().all()) and float(weight.detach().max()) > 0.99
    # The edge with the largest logit is beyond the cutoff: the others keep their share.
    window = torch.ones(9, dtype=torch.float64)
    window[weight.detach().argmax()] = 0
    others = layer.weights(x, DirectedEdges(EDGES), window)
    receiver = EDGES[1][weight.argmax()]
    assert float(others[weight.argmax()].detach()) == 0
    assert float(others[EDGES[1] == receiver].sum().detach()) == pytest.approx(1)
    none = layer.weights(x, DirectedEdges(EDGES), torch.zeros_like(window))
    assert not bool(none.any())


def representation(name: str) -> Any:
    if name == "position":
        return PositionRepresentation(3, **SIZES)
    return BundleRepresentation(
        3, num_orientations=4, grid="fibonacci", separable=True, orientation_kind="published",
        **SIZES,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["position", "bundle"])
@pytest.mark.parametrize("way", ["down", "up"])
def test_pooling_is_the_loop_over_points_and_their_kept_neighbour(name: str, way: str) -> None:
    space = seeded(lambda: representation(name))
    conv = seeded(lambda: space.make_conv(4, depthwise=True))
    pos = random(7, 3).requires_grad_()
    batch = torch.tensor([0, 0, 0, 0, 0, 1, 1])
    kept, nearest = farthest_points(pos, 0.4, batch)
    edges = BetweenScales(nearest, torch.arange(7), kept)
    if way == "up":
        edges = edges.reversed()
    fibre = (4,) if name == "bundle" else ()
    x = random(len(edges.sending), *fibre, 4).requires_grad_()
    found = conv(x, **space.geometry(pos, edges, batch).neighborhood)
    assert found.shape == (len(edges.receiving), *fibre, 4)
    rows = [torch.zeros_like(found[0]) for _ in edges.receiving]
    for source, target in edges.rows.T.tolist():
        j, i = int(edges.sending[source]), int(edges.receiving[target])
        r = pos[j] - pos[i]
        if name == "position":
            invariants = r.norm()[None] if j != i else 0 * r[:1]
        else:
            across = [(r - (o @ r) * o).norm() if j != i else 0 * r[0] for o in space.orientations]
            invariants = torch.stack([space.orientations @ r, torch.stack(across)], 1)
        rows[target] = rows[target] + conv.kernel(space.basis(invariants)) * x[source]
    expected = torch.stack(rows)
    if name == "bundle":
        cosines = (space.orientations @ space.orientations.T).unsqueeze(-1)
        expected = looped_fibre(conv, expected, space.fiber_basis(cosines))
    else:
        expected = expected + conv.bias
    given = [x, pos, conv.kernel.weight]
    assert_equal(derivatives(found.square(), given), derivatives(expected.square(), given))


def test_what_edges_cannot_do_is_refused() -> None:
    between = BetweenScales(torch.tensor([[0, 1], [0, 0]]), torch.arange(2), torch.tensor([1]))
    with pytest.raises(ValueError, match="do not support shifts"):
        between.with_shift(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="cannot be listed as edges of one set"):
        between.directed(2)
    assert between.ends[1].tolist() == [1] and between.receiver.tolist() == [1, 1]
    weighted = WeightedEdges(DirectedEdges(EDGES), torch.ones(9))
    with pytest.raises(ValueError, match="without their weights"):
        weighted.directed(5)
    assert torch.equal(weighted.receiver, EDGES[1])
    shifted = weighted.with_shift(torch.ones(9, 3))
    assert torch.equal(shifted.vectors(torch.zeros(5, 3)), torch.ones(9, 3))
    layer = AttentiveConv(PointConv(4, 4, 3), 4, 6)
    with pytest.raises(ValueError, match="window must have shape"):
        layer(torch.zeros(5, 4), torch.zeros(9, 3), EDGES, torch.ones(8))
    with pytest.raises(ValueError, match="attention_channels must be at least 1"):
        AttentiveConv(PointConv(4, 4, 3), 4, 0)
