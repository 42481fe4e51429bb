"""Base of the convolutions with one kernel: sizes, checks of the basis, calibration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.edges import Edges
from geozoo.nn.embedding.spline import SplineTerms


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

    def _sum(self, x: Tensor, *neighborhood: Any, **named: Any) -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def calibrate(self, x: Tensor, *neighborhood: Any, **named: Any) -> Tensor:
        """Rescale the kernel so that input and output have equal standard deviations.

        The arguments are those of `forward`. Returns the output before the rescaling.
        """
        out = self._sum(x, *neighborhood, **named)
        self.kernel.weight.mul_(calibration_scale(x, out))
        return out + self.bias


def kernel_width(in_channels: int, out_channels: int, groups: int) -> int:
    """Return the width of a kernel row; ValueError unless depthwise or full."""
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
    """Raise ValueError unless the basis values, if not tabulated, have these sizes."""
    if isinstance(basis, Tensor):
        check_shape(name, basis, axes, *sizes)


def check_edge_basis(
    basis: Tensor | SplineTerms, edges: Edges, orientations: str, *sizes: int
) -> None:
    """Raise ValueError unless the basis has one row for each row of the edges.

    Args:
        basis: basis values.
        edges: edges of any kind.
        orientations: names of the orientation axes, for the error message.
        sizes: sizes of the orientation axes and of the last axis.
    """
    axes, counts = edges.axes
    check_basis("basis", basis, f"{axes} {orientations} K", *counts, *sizes)


def check_loop_basis(loop_basis: Tensor | None, edges: Edges) -> None:
    """Raise ValueError unless ``loop_basis`` is given exactly when the edges need it."""
    if loop_basis is None and edges.has_loop_rows:
        raise ValueError(
            "loop_basis must be given for paired edges, which do not list self-loops, got None"
        )
    if loop_basis is not None and not edges.has_loop_rows:
        raise ValueError(
            f"loop_basis must be None for {type(edges).__name__}, which list their self-loops, got "
            "a value"
        )
