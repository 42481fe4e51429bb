"""Tabulated functions of one or two numbers, interpolated by cubic B-splines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive

#: Nodes beyond each end of the table for the boundary conditions of the coefficients, whose
#: influence decays by a factor 0.27 per node.
_MARGIN = 20


class SplineTerms(NamedTuple):
    """Indices and weights of the table entries whose weighted sum is the value of the spline.

    Attributes:
        index: ``[..., 4^d]`` rows of the table.
        weight: ``[..., 4^d]`` weights.
    """

    index: Int[Tensor, "*batch n"]  # type: ignore[assignment]  # hides tuple.index
    weight: Float[Tensor, "*batch n"]

    def scaled(self, factor: Tensor) -> SplineTerms:
        """Return the terms scaled by a factor ``[E]`` along the first axis."""
        return self._replace(weight=self.weight * factor.view(-1, *[1] * (self.weight.dim() - 1)))


class SplineGrid(nn.Module):
    """Regular grid of a cubic B-spline table: maps arguments to table entries and weights.

    The spline has two continuous derivatives, so that forces are smooth; its error is of fourth
    order in the grid spacing.

    Args:
        lower: lower bound of each argument.
        upper: upper bound of each argument.
        points: number of grid cells along each axis.

    Raises:
        ValueError: If there is no cell, more than two arguments or an empty interval.
    """

    lower: Tensor
    spacing: Tensor

    def __init__(self, lower: Sequence[float], upper: Sequence[float], points: int) -> None:
        super().__init__()
        check_positive(points=points)
        if len(lower) not in (1, 2) or len(lower) != len(upper):
            raise ValueError(
                f"lower and upper must hold 1 or 2 numbers each, got {lower} and {upper}"
            )
        if any(not high > low for low, high in zip(lower, upper, strict=True)):
            raise ValueError(f"upper must be above lower, got {lower} and {upper}")
        low, high = (torch.tensor(ends, dtype=torch.float64) for ends in (lower, upper))
        self.points = points
        self.register_buffer("lower", low)
        self.register_buffer("spacing", (high - low) / points)

    def forward(self, values: Float[Tensor, "*batch d"]) -> SplineTerms:
        """Return the terms at these values.

        Raises:
            ValueError: If a value is outside the grid.
        """
        position = (values - self.lower.to(values)) / self.spacing.to(values)
        with torch.no_grad():
            if values.numel() and not -1e-3 <= float(position.min()) <= float(position.max()) <= (
                self.points + 1e-3
            ):
                raise ValueError(
                    f"values must lie within the table, {self.lower.tolist()} to "
                    f"{(self.lower + self.points * self.spacing).tolist()}, got "
                    f"{float(values.min()):g} to {float(values.max()):g}"
                )
            cell = position.floor().clamp(0, self.points - 1)
        weight = _weights(position - cell)  # [..., d, 4]
        index = cell.long().unsqueeze(-1) + torch.arange(4, device=cell.device)
        if values.shape[-1] == 1:
            return SplineTerms(index.squeeze(-2), weight.squeeze(-2))
        rows = index[..., 0, :, None] * (self.points + 3) + index[..., 1, None, :]
        products = weight[..., 0, :, None] * weight[..., 1, None, :]
        return SplineTerms(rows.flatten(-2), products.flatten(-2))

    def nodes(self) -> Float[Tensor, "n d"]:
        """Return the arguments at which a function is sampled, slightly beyond the grid."""
        steps = torch.arange(-_MARGIN, self.points + 1 + _MARGIN, dtype=torch.float64)
        axes = [low + step * steps for low, step in zip(self.lower, self.spacing, strict=True)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)

    def coefficients(
        self, function: Callable[[Tensor], Tensor] | Float[Tensor, "n channels"]
    ) -> Float[Tensor, "entries channels"]:
        """Return the spline coefficients of a function.

        Args:
            function: maps arguments ``[n, d]`` in float64 to values ``[n, channels]``; or its
                values at the `nodes`.
        """
        values = function(self.nodes()) if callable(function) else function
        count, dim = self.points + 1 + 2 * _MARGIN, len(self.lower)
        samples = values.unflatten(0, (count,) * dim)
        band = torch.diag(torch.full((count,), 4 / 6, dtype=torch.float64))
        for side in (-1, 1):
            band += torch.diag(torch.full((count - 1,), 1 / 6, dtype=torch.float64), side)
        inner = slice(_MARGIN - 1, _MARGIN + self.points + 2)
        for axis in range(dim):
            moved = samples.movedim(axis, 0)
            solved = torch.linalg.solve(band, moved.flatten(1)).view_as(moved)
            samples = solved[inner].movedim(0, axis)
        return samples.flatten(0, dim - 1)


class SplineTable(nn.Module):
    """A tabulated function; replaces a linear map of basis functions.

    Args:
        coefficients: result of `SplineGrid.coefficients`, ``[entries, channels]``.

    Note:
        First derivatives with respect to the arguments are supported, second ones are not: forces
        can be evaluated, but not trained on.
    """

    coefficients: Tensor

    def __init__(self, coefficients: Float[Tensor, "entries channels"]) -> None:
        super().__init__()
        self.register_buffer("coefficients", coefficients)

    def forward(self, terms: SplineTerms) -> Float[Tensor, "*batch channels"]:
        """Return the values for the terms of a `SplineGrid`."""
        count = terms.index.shape[-1]
        values = functional.embedding_bag(
            terms.index.reshape(-1, count), self.coefficients, mode="sum",
            per_sample_weights=terms.weight.reshape(-1, count).to(self.coefficients),
        )  # fmt: skip
        return values.unflatten(0, terms.index.shape[:-1])


def _weights(t: Tensor) -> Tensor:
    """The four cubic B-splines that reach a position t of a cell, ``[..., 4]``."""
    rest = 1 - t
    square, cube = t * t, t * t * t
    return torch.stack([
        rest * rest * rest, 3 * cube - 6 * square + 4, -3 * cube + 3 * square + 3 * t + 1, cube,
    ], -1) / 6  # fmt: skip
