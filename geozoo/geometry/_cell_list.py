"""Points closer than a cutoff, by a cell list in plain PyTorch.

Points are sorted by graph, by *column* (a square of the first two coordinates) and by level within
the column (a fine grid of the third). The points close to a query lie in a few consecutive ranges
of that order, one per column around it, which binary search finds: time and memory are linear in
points and pairs, on any device, for all graphs of a batch at once, however far apart the points
are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from geozoo.ops import ragged_arange

#: Columns and levels per cutoff: more of them test fewer candidates, in more ranges.
_COLUMNS, _LEVELS = 2, 16
#: Largest differences of grid coordinates between close points.
_REACH = (_COLUMNS, _COLUMNS, _LEVELS + 1)
#: Queries, and candidates, handled at a time: they bound the memory beyond the result.
_QUERIES = {"cpu": 1 << 14, "cuda": 1 << 19}
_CANDIDATES = {"cpu": 1 << 18, "cuda": 1 << 24}
_LARGEST_KEY = 2**62


class Found(NamedTuple):
    """Pairs closer than the cutoff: indices ``[P]`` of two points, and float64 squared distance."""

    first: Tensor
    second: Tensor
    squared: Tensor


class _Grid(NamedTuple):
    """Sort keys of points, and what to add to a key for the ranges around it."""

    keys: Tensor  # [M]
    offsets: Tensor  # [K]: the column of the point itself, then those after it, then those before
    levels: Tensor  # [K]: levels to search below and above


def close_pairs(points: Tensor, graph: Tensor, radius: float) -> Found:
    """Return each pair of points of the same graph that are closer than ``radius`` once.

    Args:
        points: ``[M, dim]`` float64.
        graph: ``[M]`` graph of each point.
        radius: cutoff, positive and finite.
    """
    grid = _grid(points, graph, radius)
    keys, order = grid.keys.sort()
    columns = (len(grid.offsets) + 1) // 2
    around = grid._replace(
        keys=keys, offsets=grid.offsets[:columns], levels=grid.levels[:columns]
    )  # fmt: skip
    ordered = points[order]
    parts: list[Found] = []
    for low, high, start in _ranges(keys, around):
        # In its own column, a point meets those after it in the order.
        itself = torch.arange(start, start + len(low), device=low.device)
        low[:, 0] = itself + 1
        parts += _within(ordered[start : start + len(low)], ordered, low, high, radius, start)
    first, second, squared = _joined(parts, points)
    return Found(order[first], order[second], squared)


def close_to(
    queries: Tensor, query_graph: Tensor, points: Tensor, graph: Tensor, radius: float
) -> Found:
    """Return the points of the same graph that are closer than ``radius`` to each query.

    Args:
        queries: ``[Q, dim]`` float64; indices into them are ``first``.
        query_graph: ``[Q]`` graph of each query.
        points: ``[M, dim]`` float64; indices into them are ``second``.
        graph: ``[M]`` graph of each point.
        radius: cutoff, positive and finite.
    """
    grid = _grid(torch.cat([queries, points]), torch.cat([query_graph, graph]), radius)
    sizes = [len(queries), len(points)]
    query_keys, keys = grid.keys.split(sizes)
    keys, order = keys.sort()
    query_keys, query_order = query_keys.sort()  # binary searches of near keys are faster
    ordered, asked = points[order], queries[query_order]
    parts: list[Found] = []
    for low, high, start in _ranges(keys, grid._replace(keys=query_keys)):
        parts += _within(asked[start : start + len(low)], ordered, low, high, radius, start)
    first, second, squared = _joined(parts, points)
    return Found(query_order[first], order[second], squared)


def _grid(points: Tensor, graph: Tensor, radius: float) -> _Grid:
    """Sort keys that place points of a graph, column and level next to each other."""
    coordinates = torch.nn.functional.pad(points[:, :3], (3 - min(points.shape[1], 3), 0))
    per_cutoff = points.new_tensor([_COLUMNS, _COLUMNS, _LEVELS])
    bins = (coordinates / radius * per_cutoff).floor().clamp(-(2.0**60), 2.0**60).long()
    columns, sizes = _sized(bins, int(graph[-1]) + 1 if len(graph) else 1)
    keys = graph
    for axis, size in enumerate(sizes):
        keys = keys * size + columns[:, axis]
    steps = [
        ((dx * sizes[1] + dy) * sizes[2], math.floor(_half_chord(dx, dy) * _LEVELS + 1e-6) + 1)
        for dx in range(-_COLUMNS, _COLUMNS + 1)
        for dy in range(-_COLUMNS, _COLUMNS + 1)
        if _half_chord(dx, dy) > 0
    ]
    # Own column, columns after it, columns before it.
    steps.sort(key=lambda step: (step[0] < 0, step[0]))
    offsets, levels = torch.tensor(steps, device=points.device).unbind(1)
    return _Grid(keys, offsets, levels)


def _half_chord(dx: int, dy: int) -> float:
    """How far apart in level, in cutoffs, points of columns this far apart may be at most."""
    gaps = [max(abs(step) - 1, 0) / _COLUMNS for step in (dx, dy)]
    return math.sqrt(max(1 - gaps[0] ** 2 - gaps[1] ** 2, 0))


def _sized(bins: Tensor, num_graphs: int) -> tuple[Tensor, list[int]]:
    """Grid coordinates from zero and the size of each axis, such that keys fit in 64 bits.

    Steps outside the grid must not reach another row of it, hence the margins.
    """
    compressed = False
    while True:
        low, high = bins.aminmax(dim=0) if len(bins) else (bins.new_zeros(3),) * 2
        ends = torch.stack([low, high]).tolist()
        sizes = [
            top - bottom + 1 + 2 * reach
            for bottom, top, reach in zip(*ends, _REACH, strict=True)
        ]  # fmt: skip
        if num_graphs * math.prod(sizes) < _LARGEST_KEY:
            return bins - low + bins.new_tensor(_REACH), sizes
        # Empty space between points is cut out first; then the grid is coarsened, which tests more
        # candidates but misses none.
        bins = bins.div(2, rounding_mode="floor") if compressed else _without_gaps(bins)
        compressed = True


def _without_gaps(bins: Tensor) -> Tensor:
    """Shorten every gap between occupied grid coordinates to just beyond the reach."""
    axes = []
    for axis, reach in enumerate(_REACH):
        occupied, inverse = bins[:, axis].unique(return_inverse=True)
        steps = (occupied[1:] - occupied[:-1]).clamp(max=reach + 1)
        axes.append(torch.nn.functional.pad(steps.cumsum(0), (1, 0))[inverse])
    return torch.stack(axes, 1)


def _ranges(keys: Tensor, around: _Grid) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Start and end ``[Q, K]`` of the ranges of sorted points to test, some queries at a time."""
    size = _QUERIES.get(keys.device.type, _QUERIES["cpu"])
    for start in range(0, len(around.keys), size):
        wanted = around.keys[start : start + size, None] + around.offsets
        low = torch.searchsorted(keys, wanted - around.levels)
        yield low, torch.searchsorted(keys, wanted + around.levels, right=True), start


def _within(
    queries: Tensor, points: Tensor, low: Tensor, high: Tensor, radius: float, start: int
) -> Iterator[Found]:
    """Test the candidates of some queries; indices refer to the sorted order."""
    lengths = (high - low).clamp(min=0)
    totals = lengths.sum(1).cumsum(0)
    total = int(totals[-1])
    most = _CANDIDATES.get(points.device.type, _CANDIDATES["cpu"])
    marks = torch.arange(most, max(total, most), most, device=totals.device)
    cuts = torch.searchsorted(totals, marks).tolist()
    bounds = sorted({0, *cuts, len(lengths)})
    for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
        part = lengths[begin:end]
        second = ragged_arange(low[begin:end].flatten(), part.flatten())
        first = torch.arange(begin, end, device=second.device)
        first = first.repeat_interleave(part.sum(1), output_size=len(second))
        squared = torch.zeros(len(second), dtype=torch.float64, device=second.device)
        for axis in range(points.shape[1]):
            squared += (points[:, axis][second] - queries[:, axis][first]).square_()
        near = (squared < radius * radius).nonzero().squeeze(1)
        yield Found(first[near] + start, second[near], squared[near])


def _joined(parts: list[Found], like: Tensor) -> Found:
    if not parts:
        none = torch.zeros(0, dtype=torch.int64, device=like.device)
        return Found(none, none, none.double())
    first, second, squared = (torch.cat(list(column)) for column in zip(*parts, strict=True))
    return Found(first, second, squared)
