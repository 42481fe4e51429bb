"""A trained PONITA whose kernels are read from tables."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor

from geozoo.models.ponita import Ponita
from geozoo.nn.embedding.spline import SplineGrid, SplineTable


class Tabulated(NamedTuple):
    """A model with tables, and how far they are from its kernels.

    Attributes:
        model: for evaluation only; its forces are there, their derivatives are not.
        error: largest deviation of a kernel entry at random places, relative to the root mean
            square of its layer's kernel.
    """

    model: Ponita
    error: float


@torch.no_grad()
def tabulate(model: Ponita, *, max_distance: float | None = None, points: int = 64) -> Tabulated:
    """Return a copy of a model that reads its kernels from tables; an approximation.

    After training a kernel is a function of two numbers (of one for ``representation="position"``),
    the same for all pairs. The tables hold it on a grid, with cubic splines in between, and take
    the place of the basis and of every layer's map from it.

    Args:
        model: a model on the bundle or on positions, without conditions.
        max_distance: largest distance of a pair, in the unit of the positions; None: the model's
            ``radius``. Farther pairs are an error when the copy is called.
        points: cells along each axis. The error falls with its fourth power.

    Raises:
        ValueError: for a model of another kind, or no distance.

    >>> small = Ponita(1, 1, hidden_channels=8, basis_channels=8, num_orientations=6, radius=2.0)
    >>> tabulate(small, points=64).error < 1e-3
    True
    """
    limit = model.radius if max_distance is None else max_distance
    if limit is None or not limit > 0:
        raise ValueError(f"max_distance must be positive for a model without radius, got {limit!r}")
    kernels = [getattr(block.conv, "kernel", None) for block in model.blocks]
    dim = model.representation.basis.features.in_features
    if None in kernels or dim > 2 or model.condition_channels:
        raise ValueError(
            "model must be a PONITA on the separable bundle or on positions, without conditions: "
            f"its kernels depend on {dim} numbers"
        )
    exact = copy.deepcopy(model).double().cpu()
    # Across an orientation in space, and for a distance, there is no negative side.
    lower = [-limit, 0.0 if model.dim == 3 else -limit] if dim == 2 else [0.0]
    grid = SplineGrid(lower, [limit] * dim, points)
    tabled, weight = copy.deepcopy(model), model.embedding.weight
    tabled.representation.basis = grid.to(weight.device)
    tabled.backend = tabled.form.tabulated
    worst = 0.0
    places = _inside(exact, limit, dim)
    for block, source in zip(tabled.blocks, exact.blocks, strict=True):

        def kernel(invariants: Tensor, conv: torch.nn.Module = source.conv) -> Tensor:
            return conv.kernel(exact.representation.basis(invariants))

        table = SplineTable(grid.cpu().coefficients(kernel))
        wanted = kernel(places)
        worst = max(worst, float((table(grid(places)) - wanted).abs().max() / wanted.std()))
        block.conv.kernel = table.to(weight)
    grid.to(weight.device)
    return Tabulated(tabled, worst)


def _inside(model: Ponita, limit: float, dim: int) -> Tensor:
    """Random invariants of pairs within the limit."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.rand(4096, generator=generator, dtype=torch.float64) * torch.pi
    distance = limit * torch.rand(4096, generator=generator, dtype=torch.float64)
    if dim == 1:
        return distance.unsqueeze(-1)
    return distance.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], -1)
