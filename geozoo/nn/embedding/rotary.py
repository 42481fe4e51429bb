"""Angles of positions along frequencies that turn with a group, and their use as embeddings."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.checks import check_choice, check_positive
from geozoo.geometry import sphere_grid

#: How frequencies start.
FREQUENCY_STARTS = ("spiral", "normal")


def initial_frequencies(
    count: int, dim: int, sigma: float, start: str = "spiral", *, groups: int = 1
) -> Float[Tensor, "groups count dim"]:
    """Return initial frequencies, in radians per unit of length.

    Args:
        count: number of frequencies of each group, such as a head.
        dim: 2 or 3.
        sigma: scale of the frequencies, in inverse units of length.
        start: ``"spiral"``: directions of a golden spiral, lengths that increase evenly within a
            group from 0 to ``2 sigma``; ``"normal"``: components with the deviation ``sigma``.
        groups: number of groups.

    Raises:
        ValueError: If a value is invalid.
    """
    check_positive(count=count, groups=groups)
    check_choice("start", start, FREQUENCY_STARTS)
    if dim not in (2, 3):
        raise ValueError(f"dim must be 2 or 3, got {dim!r}")
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive, got {sigma!r}")
    if start == "normal":
        return sigma * torch.randn(groups, count, dim)
    if dim == 3:
        direction = sphere_grid(groups * count, "fibonacci")
    else:
        angle = math.pi * (3 - 5**0.5) * torch.arange(groups * count, dtype=torch.float64)
        direction = torch.stack([angle.cos(), angle.sin()], -1)
    length = 2 * sigma * (torch.arange(count, dtype=torch.float64) + 0.5) / count
    spiral = direction.view(groups, count, dim) * length.unsqueeze(-1)
    return spiral.to(torch.get_default_dtype())


def turned_angles(
    pos: Float[Tensor, "N dim"],
    frequencies: Float[Tensor, "H F dim"],
    elements: Float[Tensor, "G dim dim"],
) -> Float[Tensor, "N G H F"]:
    r"""Return :math:`x \cdot (g\, \omega)` for each position, element and frequency.

    Args:
        pos: positions.
        frequencies: frequencies :math:`\omega`.
        elements: orthogonal matrices g.
    """
    # Sums of two or three products: matrix products would be rounded in mixed precision.
    turned = (elements[:, None, None] * frequencies[:, :, None]).sum(-1)  # [G, H, F, dim]
    return sum(
        (pos[:, axis, None, None, None] * turned[..., axis] for axis in range(1, pos.shape[1])),
        start=pos[:, 0, None, None, None] * turned[..., 0],
    )


def turn_pairs(
    x: Float[Tensor, "*batch D"], cos: Float[Tensor, "*batch F"], sin: Float[Tensor, "*batch F"]
) -> Float[Tensor, "*batch D"]:
    """Turn the channel pairs (f, F + f) of ``x`` by angles, given as cosine and sine."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
