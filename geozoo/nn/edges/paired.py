"""Edges that share a row with their reverse edges."""

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
    """Pairs of different nodes with one row for both directions, and one row for all self-loops.

    The result of `geozoo.geometry.pair_edges` with the interface of `Edges`.

    Attributes:
        pairs: ``[2, P]`` sender and receiver, each unordered pair of different nodes once; pairs
            with both directions come first.
        num_mutual: number of pairs with both directions.
        has_loop: ``[N]`` whether each node has a self-loop; None: all have.
        shift: ``[P, dim]`` of the listed direction; the reverse edge has the negative shift. None:
            no shift.
        is_loopless: whether it is known that no node has a self-loop.
    """

    pairs: Int[Tensor, "2 P"]
    num_mutual: int
    has_loop: Bool[Tensor, " N"] | None
    shift: Float[Tensor, "P dim"] | None = None
    is_loopless: bool = False

    @property
    def receiver(self) -> Int[Tensor, " P"]:
        """Receiver of the listed direction."""
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
        """Whether there are self-loops, which share one row."""
        return not self.is_loopless

    def vectors(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "P dim"]:
        """Return the edge vectors of the listed direction; see `Edges.vectors`."""
        return edge_vectors(pos, self.pairs[0], self.pairs[1], self.shift)

    def with_shift(self, shift: Tensor) -> PairedEdges:
        """See `Edges.with_shift`."""
        return self._replace(shift=shift)

    def convolve(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sum kernel times sender features at each receiver, with one row for both directions.

        The invariants of the reverse edge at orientation o are those of the edge at -o, so its
        kernel is the same row with antipodal orientations exchanged. Features without an
        orientation axis (``x [N, C]``) have the same kernel in both directions.
        """
        rows = kernel.rows()
        forth = self.pairs[0], self.pairs[1]
        back = self.pairs[1][: self.num_mutual], self.pairs[0][: self.num_mutual]
        if x.dim() == 2:
            out = _convolve_routes(rows, x, forth, back, kernel.full)
        elif kernel.full:
            # The reverse direction acts on features with flipped orientations, appended as rows.
            num_nodes = x.shape[0]  # a tracer would fix len() as a constant
            behind = back[0] + num_nodes, back[1] + num_nodes
            out = _convolve_routes(rows, torch.cat([x, _flip(x)]), forth, behind, True)
            out = out[:num_nodes] + _flip(out[num_nodes:])
        else:
            halves = _halves(rows), _halves(x)
            out = _convolve_routes(*halves, _of_halves(forth), _of_opposite_halves(back), False)
            out = out.view(x.shape)
        if self.is_loopless:
            return out
        loops = apply_kernel(kernel.loop_rows(), x, kernel.full)
        if self.has_loop is not None:
            loops = loops * self.has_loop.view(-1, *[1] * (x.dim() - 1))
        return out + loops

    def without_loops(self) -> PairedEdges:
        """Return the same pairs without self-loops."""
        return self._replace(has_loop=None, is_loopless=True)

    def both_directions(self) -> DirectedEdges:
        """Return all directed edges without self-loops, one row each."""
        reverse = self.pairs[:, : self.num_mutual].flip(0)
        shift = self.shift
        if shift is not None:
            shift = torch.cat([shift, -shift[: self.num_mutual]])
        return DirectedEdges(torch.cat([self.pairs, reverse], 1), shift)

    def directed(self, num_nodes: int) -> DirectedEdges:
        """Return all directed edges and self-loops, one row each."""
        edges = self.both_directions()
        if self.is_loopless:
            return edges
        loops = torch.arange(num_nodes, device=self.pairs.device)
        if self.has_loop is not None:
            loops = loops[self.has_loop]
        index, shift = torch.cat([edges.index, loops.expand(2, -1)], 1), edges.shift
        if shift is not None:
            shift = torch.cat([shift, shift.new_zeros(loops.shape[0], shift.shape[1])])
        return DirectedEdges(index, shift)


def _convolve_routes(
    rows: Tensor, x: Tensor, forth: tuple[Tensor, Tensor], back: tuple[Tensor, Tensor], full: bool
) -> Tensor:
    """Kernels times sender features of both directions, summed at the receivers."""
    if not full:
        return weighted_sum(rows, x, [forth, back], x.shape[0])
    first, second = (
        scatter(apply_kernel(rows[: s.shape[0]], x.index_select(0, s), True), t, x.shape[0])
        for s, t in (forth, back)
    )
    return first + second


def _halves(x: Tensor) -> Tensor:
    """Split each row into one of each half of the orientations."""
    return x.reshape(2 * x.shape[0], x.shape[1] // 2, x.shape[2])


def _of_halves(route: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The route between halves, for each half of the weights."""
    source, target = (torch.stack([2 * node, 2 * node + 1], 1).flatten() for node in route)
    return source, target


def _of_opposite_halves(route: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The route between the halves opposite to those of the weights, the antipodes."""
    source, target = (torch.stack([2 * node + 1, 2 * node], 1).flatten() for node in route)
    return source, target


def _flip(x: Tensor) -> Tensor:
    """Exchange each orientation with its antipode, half a grid further."""
    return x.roll(x.shape[1] // 2, 1)
