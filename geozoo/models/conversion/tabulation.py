"""Tabulation of the kernels of a trained PONITA."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor

from geozoo.models.ponita import Ponita
from geozoo.nn.conv import ConvNeXtBlock
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.embedding import KernelBasis
from geozoo.nn.embedding.spline import SplineGrid, SplineTable


class Tabulated(NamedTuple):
    """A model with tabulated kernels, and the approximation error.

    Attributes:
        model: for evaluation only; forces are supported, their derivatives are not.
        error: largest deviation of a kernel entry at random arguments, relative to the standard
            deviation of its layer's kernel.
    """

    model: Ponita
    error: float


@torch.no_grad()
def tabulate(model: Ponita, *, max_distance: float | None = None, points: int = 64) -> Tabulated:
    """Return an approximate copy of a model with tabulated kernels.

    After training, a kernel is a fixed function of two invariants (one for
    ``representation="position"``). Cubic splines on a regular grid replace the basis and each
    layer's map from the basis to its kernel.

    Args:
        model: a model with representation ``"bundle"`` or ``"position"``, without a condition.
        max_distance: largest distance of a pair, in the unit of the positions; None: the model's
            ``radius``. The copy raises an error for larger distances.
        points: grid cells along each axis. The error is of fourth order in the grid spacing.

    Raises:
        ValueError: If the model is not supported, or there is no maximum distance.

    >>> kernel, orientations = {"basis_channels": 8}, {"num_orientations": 6}
    >>> sizes = {"hidden_channels": 8, "kernel": kernel, "orientations": orientations}
    >>> small = Ponita(1, 1, radius=2.0, **sizes)
    >>> tabulate(small, points=64).error < 1e-3
    True
    """
    limit = model.radius if max_distance is None else max_distance
    if limit is None or not limit > 0:
        raise ValueError(f"max_distance must be positive for a model without radius, got {limit!r}")
    basis = model.representation.basis
    if not isinstance(basis, KernelBasis):
        raise ValueError(
            "model must have kernels of its own, got a model that is tabulated already"
        )
    kernels = [getattr(block.conv, "kernel", None) for block in _blocks(model)]
    dim = basis.features.in_features
    if None in kernels or dim > 2 or model.condition_channels:
        raise ValueError(
            'model must have representation "bundle" or "position" and no condition, got a model '
            f"whose kernels depend on {dim} inputs"
        )
    exact = copy.deepcopy(model).double().cpu()
    # The component across an orientation in 3D and the distance are non-negative.
    lower = [-limit, 0.0 if model.dim == 3 else -limit] if dim == 2 else [0.0]
    grid = SplineGrid(lower, [limit] * dim, points)
    tabled, weight = copy.deepcopy(model), model.embedding.weight
    tabled.representation.add_module("basis", grid.to(weight.device))
    tabled.backend = tabled.form.tabulated
    worst = 0.0
    samples = _inside(limit, dim)
    at_nodes, at_samples = (exact.representation.basis(x) for x in (grid.cpu().nodes(), samples))
    for block, source in zip(_blocks(tabled), _blocks(exact), strict=True):
        conv = cast("KernelConv", source.conv)
        table = SplineTable(grid.cpu().coefficients(conv.kernel(at_nodes)))
        wanted = conv.kernel(at_samples)
        worst = max(worst, float((table(grid(samples)) - wanted).abs().max() / wanted.std()))
        block.conv.add_module("kernel", table.to(weight))
    grid.to(weight.device)
    return Tabulated(tabled, worst)


def _blocks(model: Ponita) -> Iterable[ConvNeXtBlock]:
    return cast("Iterable[ConvNeXtBlock]", model.blocks)


def _inside(limit: float, dim: int) -> Tensor:
    """Return random invariants of pairs within the limit."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.rand(4096, generator=generator, dtype=torch.float64) * torch.pi
    distance = limit * torch.rand(4096, generator=generator, dtype=torch.float64)
    if dim == 1:
        return distance.unsqueeze(-1)
    return distance.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], -1)
