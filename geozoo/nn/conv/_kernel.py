"""What the convolutions share: applying a kernel to neighbours, and calibrating its weights."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import PairedEdges
from geozoo.nn.conv.stencil import Stencil, convolve_stencil
from geozoo.nn.embedding.spline import SplineTerms
from geozoo.ops import SortedEdges, kernel_sum, scatter, weighted_sum

#: The forms in which a convolution takes its edges.
Edges = Tensor | PairedEdges | Stencil | SortedEdges


def convolve(
    kernel: nn.Module,
    basis: Tensor,
    x: Tensor,
    edges: Edges,
    full: bool,
    loop_basis: Tensor | None = None,
) -> Tensor:
    """Convolve in the form that the edges are given in.

    Args:
        kernel: makes kernel rows of basis values; a linear map, unless it is tabulated.
        basis: basis values of the edges.
        x: features.
        edges: senders and receivers, or pairs if there is a ``loop_basis``, or the stencil of a
            lattice, or sorted edges, whose depthwise sums go through `geozoo.ops.kernel_sum`.
        full: whether a row is a matrix.
        loop_basis: basis values of self-loops; see `convolve_pairs`.
    """
    if isinstance(edges, SortedEdges):
        if isinstance(kernel, nn.Linear) and not full:
            return kernel_sum(basis, kernel.weight, x, edges)
        edges = torch.stack([edges.source, edges.target])
    loop_kernel = None if loop_basis is None else kernel(loop_basis)
    return _convolve_rows(kernel(basis), x, edges, full, loop_kernel)


def _convolve_rows(
    kernel: Tensor,
    x: Tensor,
    edges: Tensor | PairedEdges | Stencil,
    full: bool,
    loop_kernel: Tensor | None,
) -> Tensor:
    if isinstance(edges, Stencil):
        return convolve_stencil(kernel, x, edges, full)
    if loop_kernel is None and full:
        return convolve_edges(kernel, x, edges, full)
    if loop_kernel is None:
        return weighted_sum(kernel, x, [(edges[0], edges[1])], x.shape[0])
    return convolve_pairs(kernel, loop_kernel, x, edges, full)


def apply_kernel(kernel: Tensor, x: Tensor, full: bool) -> Tensor:
    """Multiply features by a kernel: per channel (depthwise), or as a full matrix.

    ``kernel [..., C]`` or ``[..., C_out * C_in]``, ``x [..., C_in]`` with the same leading axes.
    """
    if not full:
        return kernel * x
    matrix = kernel.unflatten(-1, (-1, x.shape[-1]))
    return (matrix @ x.unsqueeze(-1)).squeeze(-1)


def convolve_edges(kernel: Tensor, x: Tensor, edge_index: Tensor, full: bool) -> Tensor:
    """Sum kernel times sender features at each receiver: the textbook form."""
    sender, receiver = edge_index
    message = apply_kernel(kernel, x.index_select(0, sender), full)
    return scatter(message, receiver, x.shape[0])


def convolve_pairs(
    kernel: Tensor, loop_kernel: Tensor, x: Tensor, pairs: Tensor | PairedEdges, full: bool
) -> Tensor:
    r"""Do the same with one kernel row for both directions of a pair.

    The invariants of the reversed edge at orientation o are those of the edge at -o, so its kernel
    is the same row with the orientations turned over. A feature without an orientation axis
    (``x [N, C]``) has the same kernel in both directions. ``loop_kernel [1, C]`` serves the
    self-loop of every node and orientation. Plain pairs ``[2, P]`` stand for both directions of
    each and a self-loop at every node.
    """
    mutual, has_loop = slice(None), None
    if isinstance(pairs, PairedEdges):
        mutual, has_loop = slice(pairs.num_mutual), pairs.has_loop
        pairs = pairs.pairs
    forth, back = (pairs[0], pairs[1]), (pairs[1][mutual], pairs[0][mutual])
    # The way back acts on features with the orientations turned over, kept as further rows.
    turns, num_nodes = x.dim() == 3, x.shape[0]  # len() would be a constant to a tracer
    if turns:
        x = torch.cat([x, _flip(x)])
        back = back[0] + num_nodes, back[1] + num_nodes
    if full:
        out = _convolve_routes(kernel, x, [forth, back])
    else:
        out = weighted_sum(kernel, x, [forth, back], x.shape[0])
    if turns:
        out = out[:num_nodes] + _flip(out[num_nodes:])
    loops = apply_kernel(loop_kernel, x[:num_nodes], full)
    if has_loop is not None:
        loops = loops * has_loop.view(-1, *[1] * (x.dim() - 1))
    return out + loops


def _convolve_routes(kernel: Tensor, x: Tensor, routes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Do with full kernels what `weighted_sum` does with depthwise ones."""
    parts = [
        scatter(apply_kernel(kernel[: s.shape[0]], x.index_select(0, s), True), t, x.shape[0])
        for s, t in routes
    ]
    return parts[0] + parts[1]


def _flip(x: Tensor) -> Tensor:
    """Exchange each orientation with its opposite, half a grid further."""
    return x.roll(x.shape[1] // 2, 1)


def calibration_scale(before: Tensor, after: Tensor) -> Tensor:
    """Return std(before) / std(after), or 1 where either is zero or undefined."""
    if min(before.numel(), after.numel()) < 2:
        return before.new_ones(())
    ratio = before.std() / after.std()
    usable = torch.isfinite(ratio) & (ratio > 0)
    return torch.where(usable, ratio, torch.ones_like(ratio))


class KernelConv(nn.Module):
    """Base of the convolutions with one kernel: sizes, kernel map, bias, calibration.

    Subclasses implement `_sum(x, ...)`, the convolution without bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        basis_channels: int,
        *,
        groups: int | None = None,
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels, out_channels=out_channels, basis_channels=basis_channels
        )
        self.groups = in_channels if groups is None else groups
        self.in_channels, self.basis_channels = in_channels, basis_channels
        width = kernel_width(in_channels, out_channels, self.groups)
        self.kernel = nn.Linear(basis_channels, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def _sum(self, x: Tensor, *neighborhood: Tensor | None, **named: Tensor | None) -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def calibrate(self, x: Tensor, *neighborhood: Tensor | None, **named: Tensor | None) -> Tensor:
        """Scale the kernel so that the output's spread is the input's; return the former output.

        The arguments are those of `forward`; the returned output is that of the weights before.
        """
        out = self._sum(x, *neighborhood, **named)
        self.kernel.weight.mul_(calibration_scale(x, out))
        return out + self.bias


def kernel_width(in_channels: int, out_channels: int, groups: int) -> int:
    """Return how many numbers a kernel row has; ValueError unless depthwise or full."""
    if groups not in (1, in_channels):
        raise ValueError(
            f"groups must be 1 (full) or in_channels={in_channels} (depthwise), got {groups!r}"
        )
    if groups != 1 and in_channels != out_channels:
        raise ValueError(
            "a depthwise convolution needs out_channels equal to in_channels, got "
            f"in_channels={in_channels}, out_channels={out_channels}"
        )
    return out_channels if groups != 1 else out_channels * in_channels


def check_basis(name: str, basis: Tensor | SplineTerms, axes: str, *sizes: int | None) -> None:
    """Raise ValueError unless basis values that are not tabulated have these sizes."""
    if isinstance(basis, Tensor):
        check_shape(name, basis, axes, *sizes)


def check_edge_basis(
    basis: Tensor | SplineTerms, edges: Edges, orientations: str, *sizes: int
) -> None:
    """Raise ValueError unless there is a row of basis values for each edge, or step of a lattice.

    Args:
        basis: basis values.
        edges: in any of their forms.
        orientations: names of the axes of orientations, for the message.
        sizes: size of these axes, and of the last one.
    """
    if isinstance(edges, Stencil):
        axes, counts = "R D", (None, prod(edges.window))
    elif isinstance(edges, SortedEdges):
        axes, counts = "E", (edges.source.shape[0],)
    else:
        edge_index = edges.pairs if isinstance(edges, PairedEdges) else edges
        check_shape("edge_index", edge_index, "2 E", 2, None)
        axes, counts = "E", (edge_index.shape[1],)
    check_basis("basis", basis, f"{axes} {orientations} K", *counts, *sizes)
