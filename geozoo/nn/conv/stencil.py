"""Sums over the near points of a lattice, as dense convolutions."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

_CONVOLUTIONS = {2: functional.conv2d, 3: functional.conv3d}


class Stencil(NamedTuple):
    """Who sends to whom on a lattice: every point within some steps, the same for all points.

    All pairs of points that are one step apart are equivalent and have one kernel row, so a basis
    has a row for each step instead of each edge: ``[R, D, ...]`` with D the number of steps
    ``-reach..reach`` in row-major order, from the receiver to the sender, and R = 1 for rows that
    serve all graphs, or the number of graphs. Points outside the lattice send nothing.

    Attributes:
        shape: points along each axis; the points of a graph are in row-major order.
        reach: steps along each axis to either side.
    """

    shape: tuple[int, ...]
    reach: tuple[int, ...]

    @property
    def window(self) -> list[int]:
        """Steps along each axis, whose product is D."""
        return [2 * size + 1 for size in self.reach]


def convolve_stencil(kernel: Tensor, x: Tensor, stencil: Stencil, full: bool) -> Tensor:
    """Sum kernel times sender features at each receiver, as a dense convolution.

    Args:
        kernel: ``[R, D, ..., C]``, or ``[R, D, C_out * C]`` if full.
        x: features ``[N, ..., C]`` of the points of all lattices.
        stencil: the lattice and its steps.
        full: whether a row is a matrix.
    """
    window = stencil.window
    rows, channels = kernel.shape[0], x.shape[1:].numel()
    image = x.reshape(-1, *stencil.shape, channels).movedim(-1, 1)
    inputs = channels if full else 1
    weight = kernel.reshape(rows, *window, -1, inputs).movedim((-2, -1), (1, 2)).flatten(0, 1)
    # With rows of its own, each graph is a group of channels of one large image.
    image = image.reshape(-1, rows * channels, *stencil.shape)
    out = _CONVOLUTIONS[len(window)](
        image, weight, padding=stencil.reach, groups=rows * channels // inputs
    )
    out = out.reshape(-1, weight.shape[0] // rows, *stencil.shape).movedim(1, -1)
    return out.reshape(len(x), *x.shape[1:-1], -1)
