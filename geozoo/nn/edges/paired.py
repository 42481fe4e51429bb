"""Edges that share a row with their reversed ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.geometry import edge_vectors
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.kernel import Kernel, apply_kernel
from geozoo.ops import scatter, weighted_sum


class PairedEdges(NamedTuple):
    """Pairs of different nodes whose two directions have one row, and self-loops, which have one.

    What `geozoo.geometry.pair_edges` finds, with what edges can do; see `Edges`.

    Attributes:
        pairs: ``[2, P]`` sender and receiver, each unordered pair of different nodes once; those
            with both directions come first.
        num_mutual: how many of them have both directions.
        has_loop: ``[N]`` whether each node is its own neighbour; None: all are.
        shift: ``[P, dim]`` of the direction that is listed; the other one has the opposite. None:
            nothing.
    """

    pairs: Int[Tensor, "2 P"]
    num_mutual: int
    has_loop: Bool[Tensor, " N"] | None
    shift: Float[Tensor, "P dim"] | None = None

    @property
    def receiver(self) -> Int[Tensor, " P"]:
        """Node that receives in the direction that is listed."""
        return self.pairs[1]

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """See `Edges.ends`."""
        return (self.pairs,)

    @property
    def axes(self) -> tuple[str, tuple[int | None, ...]]:
        """See `Edges.axes`."""
        return "E", (self.pairs.shape[1],)

    @property
    def has_loop_rows(self) -> bool:
        """Self-loops have a row together."""
        return True

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "P dim"]:
        """Return the vectors of the direction that is listed; see `Edges.vectors`."""
        return edge_vectors(pos, self.pairs[0], self.pairs[1], self.shift)

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum kernel times sender features at each receiver, with one row for both directions.

        The invariants of the reversed edge at orientation o are those of the edge at -o, so its
        kernel is the same row with the orientations turned over. A feature without an orientation
        axis (``x [N, C]``) has the same kernel in both directions.
        """
        loop_rows, rows = kernel.loop_rows(), kernel.rows()
        forth = self.pairs[0], self.pairs[1]
        back = self.pairs[1][: self.num_mutual], self.pairs[0][: self.num_mutual]
        # The way back acts on features with the orientations turned over, kept as further rows.
        turns, num_nodes = x.dim() == 3, x.shape[0]  # len() would be a constant to a tracer
        both = x
        if turns:
            both = torch.cat([x, _flip(x)])
            back = back[0] + num_nodes, back[1] + num_nodes
        if kernel.full:
            out = _convolve_routes(rows, both, [forth, back])
        else:
            out = weighted_sum(rows, both, [forth, back], both.shape[0])
        if turns:
            out = out[:num_nodes] + _flip(out[num_nodes:])
        loops = apply_kernel(loop_rows, x, kernel.full)
        if self.has_loop is not None:
            loops = loops * self.has_loop.view(-1, *[1] * (x.dim() - 1))
        return out + loops

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return both directions where there are two, and the self-loops, one row for each."""
        pairs, shift = self.pairs, self.shift
        loops = torch.arange(num_nodes, device=pairs.device)
        if self.has_loop is not None:
            loops = loops[self.has_loop]
        index = torch.cat([pairs, pairs[:, : self.num_mutual].flip(0), loops.expand(2, -1)], 1)
        if shift is not None:
            none = shift.new_zeros(loops.shape[0], shift.shape[1])
            shift = torch.cat([shift, -shift[: self.num_mutual], none])
        return DirectedEdges(index, shift)


def _convolve_routes(rows: Tensor, x: Tensor, routes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Do with full kernels what `weighted_sum` does with depthwise ones."""
    parts = [
        scatter(apply_kernel(rows[: s.shape[0]], x.index_select(0, s), True), t, x.shape[0])
        for s, t in routes
    ]
    return parts[0] + parts[1]


def _flip(x: Tensor) -> Tensor:
    """Exchange each orientation with its opposite, half a grid further."""
    return x.roll(x.shape[1] // 2, 1)
