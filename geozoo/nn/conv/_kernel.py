"""What the convolutions share: applying a kernel to neighbours, and calibrating its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geozoo.geometry import PairedEdges
from geozoo.nn.conv.stencil import Stencil, convolve_stencil
from geozoo.ops import scatter


def convolve(
    kernel: Tensor,
    x: Tensor,
    edges: Tensor | PairedEdges | Stencil,
    full: bool,
    loop_kernel: Tensor | None = None,
) -> Tensor:
    """Convolve in the form that the edges are given in.

    Args:
        kernel: kernel rows of the edges.
        x: features.
        edges: senders and receivers, or pairs if there is a ``loop_kernel``, or the stencil of a
            lattice.
        full: whether a row is a matrix.
        loop_kernel: see `convolve_pairs`.
    """
    if isinstance(edges, Stencil):
        return convolve_stencil(kernel, x, edges, full)
    if loop_kernel is None:
        return convolve_edges(kernel, x, edges, full)
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
    flip = _flip if x.dim() == 3 else _keep
    loops = apply_kernel(loop_kernel.expand(*x.shape[:-1], -1), x, full)
    mutual = slice(None)
    if isinstance(pairs, PairedEdges):
        mutual = slice(pairs.num_mutual)
        loops = loops * pairs.has_loop.view(-1, *[1] * (x.dim() - 1))
        pairs = pairs.pairs
    first, second = pairs
    forth = apply_kernel(kernel, x.index_select(0, first), full)
    back = apply_kernel(kernel[mutual], flip(x).index_select(0, second[mutual]), full)
    turned = scatter(back, first[mutual], x.shape[0])
    return loops + scatter(forth, second, x.shape[0]) + flip(turned)


def _flip(x: Tensor) -> Tensor:
    """Exchange each orientation with its opposite, half a grid further."""
    return x.roll(x.shape[1] // 2, 1)


def _keep(x: Tensor) -> Tensor:
    return x


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
        self, in_channels: int, out_channels: int, basis_channels: int, *, groups: int | None = None
    ) -> None:
        super().__init__()
        self.groups = in_channels if groups is None else groups
        self.in_channels = in_channels
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


def check_features(name: str, x: Tensor, channels: int, dims: int) -> None:
    """Raise ValueError unless ``x`` has that many axes and channels."""
    if x.dim() != dims or x.shape[-1] != channels:
        raise ValueError(
            f"{name} must have {dims} axes, the last of size {channels}, got {tuple(x.shape)}"
        )
