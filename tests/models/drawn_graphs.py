"""Batches of graphs as data hold them at worst, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as draw
from torch import Tensor

#: The same examples in every run, so that a failure can be seen again.
SETTINGS = settings(max_examples=12, deadline=None, derandomize=True, database=None)


def _ordinary(pos: Tensor) -> Tensor:
    return pos


def _twins(pos: Tensor) -> Tensor:
    """Nodes in pairs at one place."""
    return pos[torch.arange(len(pos)) // 2 * 2]


def _line(pos: Tensor) -> Tensor:
    return pos[:, :1] * torch.tensor([[1.0, 2.0, -1.0]], dtype=pos.dtype)


def _plane(pos: Tensor) -> Tensor:
    return pos * torch.tensor([[1.0, 1.0, 0.0]], dtype=pos.dtype)


def _point(pos: Tensor) -> Tensor:
    return torch.zeros_like(pos)


SHAPES = {"ordinary": _ordinary, "twins": _twins, "line": _line, "plane": _plane, "point": _point}


@draw.composite
def batches(choose: draw.DrawFn, shapes: tuple[str, ...] = tuple(SHAPES)) -> dict[str, Any]:
    """Inputs of a geometric model in float64: up to four graphs of up to five nodes, some empty."""
    sizes = choose(draw.lists(draw.integers(0, 5), min_size=1, max_size=4).filter(any))
    shape = SHAPES[choose(draw.sampled_from(shapes))]
    generator = torch.Generator().manual_seed(choose(draw.integers(0, 2**31)))
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    pos, vec = torch.randn(2, len(batch), 3, generator=generator, dtype=torch.float64)
    return {
        "pos": shape(pos),
        "x": torch.randn(len(batch), 2, generator=generator, dtype=torch.float64),
        "vec": vec[:, None],
        "batch": batch,
        "num_graphs": len(sizes),
    }


@draw.composite
def rotations(choose: draw.DrawFn) -> Tensor:
    """An orthogonal matrix, a reflection in every second case on average."""
    generator = torch.Generator().manual_seed(choose(draw.integers(0, 2**31)))
    return torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
