"""Tabulated functions of one or two numbers, interpolated by cubic B-splines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive

#: Nodes beyond each end of the table, from which its coefficients take their boundary: its
#: influence falls by 0.27 from node to node.
_MARGIN = 20


class SplineTerms(NamedTuple):
    """Which entries of a table are summed, and with which weights.

    Attributes:
        index: ``[..., 4^d]`` rows of the table.
        weight: ``[..., 4^d]``.
    """

    index: Int[Tensor, "*batch n"]
    weight: Float[Tensor, "*batch n"]

    def scaled(self, factor: Tensor) -> SplineTerms:
        """These terms times a factor ``[E]`` for each of the first axis."""
        return self._replace(weight=self.weight * factor.view(-1, *[1] * (self.weight.dim() - 1)))


class SplineGrid(nn.Module):
    """Say for numbers in a box which terms of a table give the spline's value.

    The spline has two continuous derivatives, so that forces are smooth; its error falls with the
    fourth power of the spacing.

    Args:
        lower: least value of each number.
        upper: largest value of each number.
        points: cells of the table along each axis.

    Raises:
        ValueError: for fewer than one cell, more than two numbers or an empty box.
    """

    lower: Tensor
    spacing: Tensor

    def __init__(self, lower: Sequence[float], upper: Sequence[float], points: int) -> None:
        super().__init__()
        check_positive(points=points)
        if len(lower) not in (1, 2) or len(lower) != len(upper):
            raise ValueError(f"lower and upper must be 1 or 2 numbers, got {lower} and {upper}")
        if any(not high > low for low, high in zip(lower, upper, strict=True)):
            raise ValueError(f"upper must be above lower, got {lower} and {upper}")
        low, high = (torch.tensor(ends, dtype=torch.float64) for ends in (lower, upper))
        self.points = points
        self.register_buffer("lower", low)
        self.register_buffer("spacing", (high - low) / points)

    def forward(self, values: Float[Tensor, "*batch d"]) -> SplineTerms:
        """Return the terms at these values.

        Raises:
            ValueError: for values outside of the box.
        """
        place = (values - self.lower.to(values)) / self.spacing.to(values)
        with torch.no_grad():
            if values.numel() and not -1e-3 <= float(place.min()) <= float(place.max()) <= (
                self.points + 1e-3
            ):
                raise ValueError(
                    f"values must lie in the table, {self.lower.tolist()} to "
                    f"{(self.lower + self.points * self.spacing).tolist()}, got "
                    f"{float(values.min()):g} to {float(values.max()):g}"
                )
            cell = place.floor().clamp(0, self.points - 1)
        weight = _weights(place - cell)  # [..., d, 4]
        index = cell.long().unsqueeze(-1) + torch.arange(4, device=cell.device)
        if values.shape[-1] == 1:
            return SplineTerms(index.squeeze(-2), weight.squeeze(-2))
        rows = index[..., 0, :, None] * (self.points + 3) + index[..., 1, None, :]
        products = weight[..., 0, :, None] * weight[..., 1, None, :]
        return SplineTerms(rows.flatten(-2), products.flatten(-2))

    def coefficients(
        self, function: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "entries channels"]:
        """Return the table of a function, which is sampled a little beyond the box too.

        Args:
            function: values ``[n, channels]`` for arguments ``[n, d]`` in float64.
        """
        nodes = torch.arange(-_MARGIN, self.points + 1 + _MARGIN, dtype=torch.float64)
        axes = [low + step * nodes for low, step in zip(self.lower, self.spacing, strict=True)]
        count, dim = len(nodes), len(axes)
        arguments = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
        samples = function(arguments).unflatten(0, (count,) * dim)
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
    """A tabulated function; stands where a linear map of basis functions stood.

    Args:
        coefficients: of a `SplineGrid`, ``[entries, channels]``.

    Note:
        First derivatives with respect to the numbers are there, second ones are not: for forces in
        use, not in training.
    """

    coefficients: Tensor

    def __init__(self, coefficients: Float[Tensor, "entries channels"]) -> None:
        super().__init__()
        self.register_buffer("coefficients", coefficients)

    def forward(self, terms: SplineTerms) -> Float[Tensor, "*batch channels"]:
        """Return the values that belong to the terms."""
        count = terms.index.shape[-1]
        values = functional.embedding_bag(
            terms.index.reshape(-1, count), self.coefficients, mode="sum",
            per_sample_weights=terms.weight.reshape(-1, count).to(self.coefficients),
        )  # fmt: skip
        return values.unflatten(0, terms.index.shape[:-1])


def _weights(t: Tensor) -> Tensor:
    """The four cubic B-splines that reach a place t of a cell, ``[..., 4]``."""
    rest = 1 - t
    square, cube = t * t, t * t * t
    return torch.stack([
        rest * rest * rest, 3 * cube - 6 * square + 4, -3 * cube + 3 * square + 3 * t + 1, cube,
    ], -1) / 6  # fmt: skip
