"""Grids of orientations on the circle and on the sphere."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.geometry.platonic import platonic_vertices

SphereGrid = Literal["repulsion", "repulsion_antipodal", "fibonacci", "platonic"]
SPHERE_GRIDS: tuple[str, ...] = ("repulsion", "repulsion_antipodal", "fibonacci", "platonic")
_REPULSION_SEED = 0


def circle_grid(num: int) -> Float[Tensor, "num 2"]:
    r"""Return ``num`` equally spaced unit vectors, at the angles :math:`2 \pi k / n`, in float64.

    An even number gives an antipodal grid in which entry ``k + num / 2`` is the antipode of ``k``.

    Raises:
        ValueError: If ``num`` is not positive.
    """
    _check_num(num)
    angle = 2 * math.pi * torch.arange(num, dtype=torch.float64) / num
    return torch.stack([angle.cos(), angle.sin()], -1)


def sphere_grid(
    num: int, kind: SphereGrid = "repulsion_antipodal", *, seed: int = _REPULSION_SEED
) -> Float[Tensor, "num 3"]:
    """Return ``num`` nearly uniformly distributed unit vectors on the sphere, in float64.

    The grid is deterministic and independent of torch's global random state. Antipodal grids are
    in the order of `antipodal_order`: entry ``k + num / 2`` is the antipode of entry ``k``.

    Args:
        num: number of orientations.
        kind: ``"repulsion"``: minimum of the inverse squared geodesic distances summed over pairs
            (the energy of the published PONITA grid, minimised to convergence);
            ``"repulsion_antipodal"``: the same, restricted to grids that contain the antipode of
            each point, ``num`` even; ``"fibonacci"``: the golden spiral lattice (A. Gonzalez, Math.
            Geosci. 42, 2010); ``"platonic"``: vertices of a regular polyhedron, ``num`` in 4, 6,
            8, 12, 20.
        seed: seed of the initial points of the two repulsion grids.

    Raises:
        ValueError: If ``kind`` is unknown or has no grid of that size.
    """
    _check_num(num)
    if kind == "platonic":
        vertices = platonic_vertices(num)
        return vertices if num == 4 else antipodal_order(vertices)
    if kind == "fibonacci":
        return _fibonacci(num)
    if kind == "repulsion":
        return _repulsion(num, seed, antipodal=False)
    if kind == "repulsion_antipodal":
        if num % 2:
            raise ValueError(
                f"num must be an even number of orientations for an antipodal grid, got {num!r}"
            )
        return _repulsion(num // 2, seed, antipodal=True)
    raise ValueError(f"kind must be one of {SPHERE_GRIDS}, got {kind!r}")


def antipodal_order(grid: Float[Tensor, "num dim"]) -> Float[Tensor, "num dim"]:
    """Reorder an antipodal grid so that entry ``k + num / 2`` is the antipode of entry ``k``.

    Raises:
        ValueError: If a point has no antipode in the grid.
    """
    opposite = torch.cdist(grid, -grid) < 1e-6
    if not bool((opposite.sum(1) == 1).all()):
        raise ValueError("grid must contain the antipode of each of its points")
    partner = opposite.to(torch.int64).argmax(1)
    first = (torch.arange(len(grid)) < partner).nonzero().squeeze(1)
    return torch.cat([grid[first], -grid[first]])


def _check_num(num: int) -> None:
    if not isinstance(num, int) or num < 1:
        raise ValueError(f"num must be a positive integer number of orientations, got {num!r}")


def _fibonacci(num: int) -> Tensor:
    k = torch.arange(num, dtype=torch.float64)
    z = 1 - (2 * k + 1) / num
    angle = math.pi * (3 - 5**0.5) * k
    radius = (1 - z * z).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1)


def _repulsion(free: int, seed: int, *, antipodal: bool) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(free, 3, generator=generator, dtype=torch.float64)
    point = torch.nn.functional.normalize(start, dim=-1)
    step = 0.1
    for _ in range(300):
        point, step = _descend(point, step, antipodal)
    return torch.cat([point, -point]) if antipodal else point


def _descend(point: Tensor, step: float, antipodal: bool) -> tuple[Tensor, float]:
    """One step of gradient descent on the sphere; the step size halves if the energy increases."""
    with torch.enable_grad():
        variable = point.detach().clone().requires_grad_()
        energy = _repulsion_energy(variable, antipodal)
        (gradient,) = torch.autograd.grad(energy, variable)
    gradient = gradient - (gradient * point).sum(-1, keepdim=True) * point
    largest = gradient.norm(dim=-1).max().clamp_min(1e-12)
    moved = torch.nn.functional.normalize(point - step * gradient / largest, dim=-1)
    if _repulsion_energy(moved, antipodal) < energy:
        return moved, step * 1.1
    return point, step / 2


def _repulsion_energy(point: Tensor, antipodal: bool) -> Tensor:
    grid = torch.cat([point, -point]) if antipodal else point
    cosine = (grid @ grid.T).clamp(-1 + 1e-12, 1 - 1e-12)
    distance = cosine.acos() / math.pi
    other = ~torch.eye(len(grid), dtype=torch.bool)
    return distance[other].pow(-2).sum() if len(grid) > 1 else point.sum() * 0
