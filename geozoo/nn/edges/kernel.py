"""Convolution kernels as basis values and a map, evaluated by the edges."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from geozoo.nn.embedding.spline import SplineTerms
from geozoo.ops import scatter, weighted_sum


class Kernel(NamedTuple):
    """A kernel expanded in a basis; the edges decide how it is evaluated.

    Attributes:
        map: maps basis values to kernel rows: a bias-free linear map, or a table.
        basis: basis values for each row of the edges, ``[..., K]``.
        full: whether a kernel row is a full channel matrix instead of one weight per channel.
        loop_basis: ``[1, ..., K]`` or ``[N, ..., K]`` basis values of self-loops, for edges that do
            not list them (`Edges.has_loop_rows`).
    """

    map: nn.Module
    basis: Tensor | SplineTerms
    full: bool = False
    loop_basis: Tensor | SplineTerms | None = None

    @property
    def matrix(self) -> Tensor | None:
        """Matrix ``[C, K]`` whose product with the basis gives the rows; None for other kernels."""
        return self.map.weight if isinstance(self.map, nn.Linear) and not self.full else None

    def rows(self) -> Tensor:
        """Return the kernel rows of the edges: ``[..., C]``, or ``[..., C_out * C]`` if full."""
        return self.map(self.basis)

    def loop_rows(self) -> Tensor:
        """Return the kernel rows of the self-loops."""
        return self.map(self.loop_basis)


def apply_kernel(rows: Tensor, x: Tensor, full: bool) -> Tensor:
    """Multiply features by kernel rows: per channel (depthwise), or as full matrices.

    Args:
        rows: ``[..., C]``, or ``[..., C_out * C]`` if full.
        x: features ``[..., C]`` with the same leading axes.
        full: whether a row is a full channel matrix.
    """
    if not full:
        return rows * x
    matrix = rows.unflatten(-1, (-1, x.shape[-1]))
    return (matrix @ x.unsqueeze(-1)).squeeze(-1)


def sum_messages(
    kernel: Kernel, x: Tensor, ends: tuple[Tensor, Tensor], num_targets: int,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Sum the messages of directed edges, kernel row times features, at each target.

    Args:
        kernel: a kernel with one row per edge.
        x: features of the sources.
        ends: source and target of each edge.
        num_targets: number of targets.
        weight: ``[E, ...]`` weight of each message, as features without the last axis; None: 1.
    """
    rows, (source, target) = kernel.rows(), ends
    factor = None if weight is None else weight.to(rows.dtype).unsqueeze(-1)
    if kernel.full:
        message = apply_kernel(rows, x.index_select(0, source), True)
        return scatter(message if factor is None else factor * message, target, num_targets)
    return weighted_sum(
        rows if factor is None else factor * rows, x, [(source, target)], num_targets
    )
