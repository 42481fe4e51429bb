"""The kernel of a convolution before it is evaluated."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from geozoo.nn.embedding.spline import SplineTerms


class Kernel(NamedTuple):
    """A kernel by its values in a basis; how it is evaluated is up to the edges.

    Attributes:
        map: makes kernel rows of basis values: a linear map without bias, or a table.
        basis: values of the edges, a row for each row of `Edges.vectors`, ``[..., K]``.
        full: whether a kernel row is a matrix from the sender's channels, not a weight for each.
        loop_basis: ``[1, ..., K]`` or ``[N, ..., K]`` values of self-loops, for edges that leave
            these to a row of their own (`Edges.has_loop_rows`).
    """

    map: nn.Module
    basis: Tensor | SplineTerms
    full: bool = False
    loop_basis: Tensor | SplineTerms | None = None

    @property
    def is_linear(self) -> bool:
        """Whether its rows are one matrix times the basis, a weight for each channel."""
        return isinstance(self.map, nn.Linear) and not self.full

    def rows(self) -> Tensor:
        """Kernel rows of the edges: ``[..., C]``, or ``[..., C_out * C]`` if full."""
        return self.map(self.basis)

    def loop_rows(self) -> Tensor:
        """Kernel rows of self-loops, where there are basis values of them."""
        return self.map(self.loop_basis)


def apply_kernel(rows: Tensor, x: Tensor, full: bool) -> Tensor:
    """Multiply features by kernel rows: per channel (depthwise), or as full matrices.

    Args:
        rows: ``[..., C]``, or ``[..., C_out * C]`` if full.
        x: features ``[..., C]`` with the same leading axes.
        full: whether a row is a matrix.
    """
    if not full:
        return rows * x
    matrix = rows.unflatten(-1, (-1, x.shape[-1]))
    return (matrix @ x.unsqueeze(-1)).squeeze(-1)
