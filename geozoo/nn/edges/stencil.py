"""The steps of a lattice in place of edges, and sums over them as dense convolutions."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from geozoo.geometry import lattice_reach, lattice_steps, stencil_offsets
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.kernel import Kernel

_CONVOLUTIONS = {2: functional.conv2d, 3: functional.conv3d}


class Stencil(NamedTuple):
    """Who sends to whom on a lattice: every point within some steps, the same for all points.

    All pairs of points that are one step apart are equivalent and have one row: ``[R, D, ...]``
    with D the number of steps ``-reach..reach`` in row-major order, from the receiver to the
    sender, and R = 1 for rows that serve all graphs, or the number of graphs. Points outside the
    lattice send nothing. See `Edges`.

    Attributes:
        shape: points along each axis; the points of a graph are in row-major order.
        reach: steps along each axis to either side.
        steps: ``[R, dim, dim]`` row k: the way from a point to the next along axis k; None: the
            stencil has no vectors.
    """

    shape: tuple[int, ...]
    reach: tuple[int, ...]
    steps: Float[Tensor, "R dim dim"] | None = None

    @property
    def window(self) -> list[int]:
        """Steps along each axis, whose product is D."""
        return [2 * size + 1 for size in self.reach]

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return ()

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return "R D", (None, math.prod(self.window))

    @property
    def has_loop_rows(self) -> bool:
        """No step at all is one of the steps."""
        return False

    @property
    def receiver(self) -> Int[Tensor, "R D"]:
        """The first point of each graph: all receive alike."""
        steps = self._known_steps()
        first = torch.arange(len(steps), device=steps.device) * math.prod(self.shape)
        return first.unsqueeze(1).expand(-1, math.prod(self.window))

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "R D dim"]:
        """Return the way of each step; positions enter through `steps` alone."""
        return stencil_offsets(self.reach).to(pos) @ self._known_steps()

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum as a dense convolution; see `Edges.convolve`."""
        weights, window = kernel.rows(), self.window
        rows, channels = weights.shape[0], x.shape[1:].numel()
        image = x.reshape(-1, *self.shape, channels).movedim(-1, 1)
        inputs = channels if kernel.full else 1
        weight = weights.reshape(rows, *window, -1, inputs).movedim((-2, -1), (1, 2)).flatten(0, 1)
        # With rows of its own, each graph is a group of channels of one large image.
        image = image.reshape(-1, rows * channels, *self.shape)
        out = _CONVOLUTIONS[len(window)](
            image, weight, padding=self.reach, groups=rows * channels // inputs
        )
        out = out.reshape(-1, weight.shape[0] // rows, *self.shape).movedim(1, -1)
        return out.reshape(len(x), *x.shape[1:-1], -1)

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Refuse: the rows of a stencil serve many edges each, and no list is kept of them.

        Raises:
            ValueError: always.
        """
        raise ValueError("edge_index must be a list of edges for this layer, got a Stencil")

    def _known_steps(self) -> Tensor:
        if self.steps is None:
            raise ValueError("a Stencil without steps has no vectors: give it steps [R, dim, dim]")
        return self.steps


def lattice_stencil(
    pos: Float[Tensor, "N dim"],
    batch: Int[Tensor, " N"],
    shape: tuple[int, ...],
    num_graphs: int,
    *,
    radius: float | None = None,
    rows_of_each: bool = False,
) -> Stencil:
    """Return the stencil of points on lattices: all within a radius, self-loops included.

    A few points tell the steps: derivatives by the others are lost.

    Args:
        pos: positions of the points of all graphs, which may be turned or stretched.
        batch: graph of each point, sorted.
        shape: points along each axis.
        num_graphs: number of graphs, at least 1.
        radius: cut-off in the unit of the positions; None: every point.
        rows_of_each: whether graphs have rows of their own even if their steps are equal.

    Raises:
        ValueError: if the points do not lie on such lattices.
    """
    steps = lattice_steps(pos, shape, num_graphs)
    graphs = torch.arange(num_graphs, device=batch.device)
    if not torch.equal(batch, graphs.repeat_interleave(len(pos) // num_graphs)):
        raise ValueError(
            f"batch must give every graph the {math.prod(shape)} points of its lattice"
        )
    reach = lattice_reach(steps, shape, radius)
    if not rows_of_each and bool((steps == steps[:1]).all()):
        steps = steps[:1]
    return Stencil(tuple(shape), reach, steps)
