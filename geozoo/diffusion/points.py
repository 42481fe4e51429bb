"""Point clouds with features, and noise with zero-mean positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.ops import centred, scatter


class Cloud(NamedTuple):
    """Assignment of points to the clouds of a batch.

    Attributes:
        batch: ``[N]`` cloud of each point, sorted.
        num_graphs: number of clouds ``G``.
    """

    batch: Int[Tensor, " N"]
    num_graphs: int

    @property
    def counts(self) -> Int[Tensor, " G"]:
        """Number of points of each cloud."""
        return torch.bincount(self.batch, minlength=self.num_graphs)

    def center(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "N dim"]:
        """Positions relative to the mean position of their cloud."""
        return centred(pos, self.batch, self.num_graphs)

    def total(self, values: Float[Tensor, "N ..."]) -> Float[Tensor, " G"]:
        """Sum over all points and components of each cloud."""
        return scatter(values.flatten(1).sum(1), self.batch, self.num_graphs)

    def spread(self, values: Float[Tensor, " G"]) -> Float[Tensor, "N 1"]:
        """Broadcast the value of each cloud to its points."""
        return values.index_select(0, self.batch).unsqueeze(-1)


class Points(NamedTuple):
    """Positions and features of all points.

    Attributes:
        pos: ``[N, dim]``.
        x: ``[N, F]``.
    """

    pos: Tensor
    x: Tensor

    def scaled(self, factor: Tensor | float) -> Points:
        """Multiply positions and features by a factor, a scalar or one per point ``[N, 1]``."""
        return Points(self.pos * factor, self.x * factor)

    def plus(self, other: Points, factor: Tensor | float = 1.0) -> Points:
        """Add a factor times the positions and features of other points."""
        return Points(self.pos + factor * other.pos, self.x + factor * other.x)


#: A network that maps noisy points and the noise input ``[G]`` of each cloud to points.
Network = Callable[[Points, Tensor], Points]
#: Called with 1 after each step of a sampler.
Progress = Callable[[int], None]


def standard_noise(like: Points, cloud: Cloud, generator: torch.Generator | None) -> Points:
    """Independent standard normal noise, with positions projected to zero mean per cloud.

    Args:
        like: points with the shape and dtype of the noise.
        cloud: assignment of points to clouds.
        generator: random generator on any device; noise is drawn on its device and then moved, so
            that a seed gives the same noise on every device.
    """
    device = "cpu" if generator is None else generator.device

    def draw(part: Tensor) -> Tensor:
        return torch.randn(part.shape, generator=generator, device=device, dtype=part.dtype).to(
            part.device
        )

    pos, x = draw(like.pos), draw(like.x)
    return Points(cloud.center(pos), x)
