"""Lattice stencils in place of edge lists, evaluated as dense convolutions."""

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
    """Edges of a lattice: the same offsets to the neighbours for every point.

    All pairs with the same offset are equivalent and share a row: ``[R, D, ...]`` with D the number
    of offsets ``-reach..reach`` in row-major order, from the receiver to the sender, and R = 1 for
    rows shared by all graphs, or the number of graphs. The lattice is zero-padded. See `Edges`.

    Attributes:
        shape: points along each axis; the points of a graph are in row-major order.
        reach: largest offset along each axis, in lattice steps.
        steps: ``[R, dim, dim]`` lattice vectors; row k leads from a point to the next along axis k.
            None: the stencil has no edge vectors.
    """

    shape: tuple[int, ...]
    reach: tuple[int, ...]
    steps: Float[Tensor, "R dim dim"] | None = None

    @property
    def window(self) -> list[int]:
        """Number of offsets along each axis; their product is D."""
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
    def shift(self) -> None:
        """None: a lattice of points is not periodic."""
        return None

    @property
    def has_loop_rows(self) -> bool:
        """False: the zero offset is one of the rows."""
        return False

    @property
    def receiver(self) -> Int[Tensor, "R D"]:
        """The first point of each graph, since all points are equivalent."""
        steps = self._known_steps()
        first = torch.arange(len(steps), device=steps.device) * math.prod(self.shape)
        return first.unsqueeze(1).expand(-1, math.prod(self.window))

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "R D dim"]:
        """Return the vector of each offset; positions enter through `steps` only."""
        return stencil_offsets(self.reach).to(pos) @ self._known_steps()

    def with_shift(self, shift: Tensor) -> Stencil:
        """Not supported: a lattice of points is not periodic.

        Raises:
            ValueError: Always.
        """
        raise ValueError("a Stencil has no shifts: its lattice of points is not periodic")

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Evaluate as a dense convolution; see `Edges.convolve`."""
        weights, window = kernel.rows(), self.window
        rows, channels = weights.shape[0], x.shape[1:].numel()
        image = x.reshape(-1, *self.shape, channels).movedim(-1, 1)
        inputs = channels if kernel.full else 1
        weight = weights.reshape(rows, *window, -1, inputs).movedim((-2, -1), (1, 2)).flatten(0, 1)
        # With per-graph rows, each graph is a channel group of one large image.
        image = image.reshape(-1, rows * channels, *self.shape)
        out = _CONVOLUTIONS[len(window)](
            image, weight, padding=self.reach, groups=rows * channels // inputs
        )
        out = out.reshape(-1, weight.shape[0] // rows, *self.shape).movedim(1, -1)
        return out.reshape(len(x), *x.shape[1:-1], -1)

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Not supported: a row of a stencil belongs to many edges, which are not listed.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "edge_index must be an explicit list of edges for this layer, got a Stencil"
        )

    def _known_steps(self) -> Tensor:
        if self.steps is None:
            raise ValueError(
                "steps of the Stencil must be given for edge vectors, [R, dim, dim], got None"
            )
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
    """Return the stencil of lattice points: all pairs within a radius, self-loops included.

    The lattice vectors are computed from a few points only; gradients do not reach the others.

    Args:
        pos: positions of the points of all graphs; lattices may be rotated or stretched.
        batch: graph of each point, sorted.
        shape: points along each axis.
        num_graphs: number of graphs, at least 1.
        radius: cutoff in the unit of the positions; None: all pairs.
        rows_of_each: give each graph its own rows even if all lattice vectors are equal.

    Raises:
        ValueError: If the points of a graph do not form such a lattice.
    """
    steps = lattice_steps(pos, shape, num_graphs)
    graphs = torch.arange(num_graphs, device=batch.device)
    if not torch.equal(batch, graphs.repeat_interleave(len(pos) // num_graphs)):
        raise ValueError(
            f"batch must assign {math.prod(shape)} consecutive points, those of its lattice, to "
            "every graph"
        )
    reach = lattice_reach(steps, shape, radius)
    if not rows_of_each and bool((steps == steps[:1]).all()):
        steps = steps[:1]
    return Stencil(tuple(shape), reach, steps)
