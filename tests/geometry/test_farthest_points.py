"""Farthest-point sampling and nearest neighbours against loops, and on symmetric point sets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geozoo.geometry import (
    farthest_points,
    knn_graph,
    nearest_graph,
    platonic_rotations,
    platonic_vertices,
    random_rotations,
)

SIZES = [7, 0, 1, 23, 2]
BATCH = torch.repeat_interleave(torch.arange(5), torch.tensor(SIZES))


def points(count: int, dim: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator, dtype=torch.float64)


def looped(pos: Tensor, wanted: int) -> list[int]:
    """Start with the point farthest from the mean, then add the one farthest from those chosen."""
    chosen = [int((pos - pos.mean(0)).norm(dim=1).argmax())]
    while len(chosen) < wanted:
        distance = [min(float((p - pos[c]).norm()) for c in chosen) for p in pos]
        chosen.append(max(range(len(pos)), key=distance.__getitem__))
    return chosen


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("dim", [2, 3])
def test_points_are_those_of_the_loop(dim: int, ratio: float) -> None:
    pos = points(len(BATCH), dim)
    found = farthest_points(pos, ratio, BATCH, 5)
    start, expected = 0, []
    for size in filter(None, SIZES[:-1]):  # two points are related by a symmetry
        part = pos[start : start + size]
        expected += [start + c for c in looped(part, math.ceil(ratio * size))]
        start += size
    assert found.kept[found.kept < start].tolist() == sorted(expected)
    assert found.kept[found.kept >= start].tolist() == [start, start + 1]
    of_point, row = found.nearest
    assert of_point.unique().tolist() == list(range(len(BATCH)))
    for i in range(start):
        kept = found.kept[BATCH[found.kept] == BATCH[i]]
        closest = kept[(pos[kept] - pos[i]).norm(dim=1).argmin()]
        assert found.kept[row[of_point == i]].tolist() == [int(closest)]


def test_neither_order_nor_motion_matters() -> None:
    pos, order = points(40), torch.randperm(40, generator=torch.Generator().manual_seed(1))
    batch = torch.zeros(40, dtype=torch.int64)
    kept = set(farthest_points(pos, 0.25, batch).kept.tolist())
    assert {int(order[k]) for k in farthest_points(pos[order], 0.25, batch).kept} == kept
    rotation = random_rotations(1, 3, generator=torch.Generator().manual_seed(2)).double()[0]
    assert set(farthest_points(1e3 * (pos @ rotation.T + 1), 0.25, batch).kept.tolist()) == kept


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_symmetric_points_are_kept_together(dtype: torch.dtype) -> None:
    """All symmetries of a cube, with its centre, map the choice to itself, up to rounding."""
    grid = torch.cartesian_prod(*3 * [torch.arange(3.0, dtype=dtype) - 1])
    batch = torch.zeros(27, dtype=torch.int64)
    for rotation in platonic_rotations(6)[:24:5].to(dtype):
        turned = grid @ rotation.T + 0.3
        kept, nearest = farthest_points(turned, 0.25, batch)
        corners = (grid.abs().sum(1) == 3).nonzero()[:, 0]
        assert kept.tolist() == corners.tolist()
        rows = torch.bincount(nearest[0])
        # Centres of edges, of faces and the centre have 2, 4 and 8 corners next to them.
        assert rows.tolist() == (2 ** (3 - grid.abs().sum(1))).long().tolist()
        degree = torch.bincount(nearest_graph(turned, 3, batch)[1])
        assert degree[corners].tolist() == [3] * 8 and int(degree[13]) == 6


def test_a_ring_is_kept_as_a_whole() -> None:
    ring = platonic_vertices(12).double()
    batch = torch.zeros(12, dtype=torch.int64)
    assert farthest_points(ring, 0.25, batch).kept.tolist() == list(range(12))


def test_points_at_one_position_stay_together() -> None:
    pos, batch = torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64)
    pos[3:] = 1
    found = farthest_points(pos, 0.2, batch)
    assert found.kept.tolist() == [3, 4]
    assert found.nearest.tolist() == [
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    ]  # fmt: skip
    assert nearest_graph(pos, 1, batch)[:, :4].tolist() == [[1, 2, 0, 2], [0, 0, 1, 1]]


@pytest.mark.parametrize("count", [1, 3, 8, 30])
def test_nearest_are_those_of_knn_without_ties(count: int) -> None:
    pos = points(len(BATCH))
    assert torch.equal(nearest_graph(pos, count, BATCH, 5), knn_graph(pos, count, BATCH, 5))


def test_a_shell_larger_than_twice_the_number_is_complete() -> None:
    pos = torch.cat([torch.zeros(1, 3), platonic_vertices(20)]).double()
    edges = nearest_graph(pos, 2, torch.zeros(21, dtype=torch.int64))
    assert int((edges[1] == 0).sum()) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": 0.0}, "ratio must be above 0 and at most 1, got 0.0"),
        ({"ratio": 1.5}, "ratio must be above 0 and at most 1, got 1.5"),
        ({"pos": torch.full((2, 3), torch.nan)}, "pos must be finite"),
        ({"batch": torch.tensor([1, 0])}, "batch must be sorted"),
    ],
)
def test_what_has_no_meaning_is_refused(change: dict[str, object], message: str) -> None:
    given = {"pos": torch.zeros(2, 3), "ratio": 0.5, "batch": torch.tensor([0, 0])}
    with pytest.raises(ValueError, match=message):
        farthest_points(**{**given, **change})


@pytest.mark.parametrize("sizes", [[], [0, 0]])
def test_empty_batches(sizes: list[int]) -> None:
    found = farthest_points(torch.zeros(0, 3), 0.5, BATCH[:0], len(sizes))
    assert found.kept.shape == (0,) and found.nearest.shape == (2, 0)
    assert nearest_graph(torch.zeros(0, 3), 2, BATCH[:0], len(sizes)).shape == (2, 0)
