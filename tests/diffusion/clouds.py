"""Small clouds and an exactly equivariant network on them."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.diffusion import Cloud, Network, Points

SIZES = (4, 1, 3)


def make_cloud(sizes: tuple[int, ...] = SIZES) -> Cloud:
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Cloud(batch, len(sizes))


def make_points(cloud: Cloud, *, seed: int = 0, features: int = 6) -> Points:
    """Features of five one-hot classes and an integer, and zero-mean positions."""
    generator = torch.Generator().manual_seed(seed)
    count = len(cloud.batch)
    pos = cloud.center(torch.randn(count, 3, generator=generator, dtype=torch.float64))
    kind = torch.randint(0, features - 1, (count,), generator=generator)
    one_hot = torch.nn.functional.one_hot(kind, features - 1).double()
    number = torch.randint(1, 9, (count, 1), generator=generator).double()
    return Points(pos, torch.cat([one_hot, number], 1))


def equivariant_network(cloud: Cloud) -> Network:
    """Scalars from distances to the centre; vectors along the positions."""

    def call(points: Points, level: Tensor) -> Points:
        squared = points.pos.square().sum(1, keepdim=True)
        weight = torch.tanh(points.x.sum(1, keepdim=True) + cloud.spread(level.to(squared.dtype)))
        return Points(weight * points.pos, torch.tanh(points.x - squared))

    return call
