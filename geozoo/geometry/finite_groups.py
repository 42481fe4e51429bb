"""Finite groups of rotations, with their multiplication tables."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry.platonic import platonic_rotations

#: Names of the groups of each dimension.
FINITE_GROUPS = {
    2: ("trivial", "cyclic", "dihedral"),
    3: ("trivial", "tetrahedral", "octahedral", "icosahedral"),
}
#: Rotation group -> number of vertices of its polyhedron.
_VERTICES = {"tetrahedral": 4, "octahedral": 6, "icosahedral": 20}


class FiniteGroup(NamedTuple):
    """A finite group of orthogonal matrices.

    Attributes:
        elements: the matrices ``[n, dim, dim]`` in float64, the identity first.
        quotients: ``[n, n]``, the index of :math:`g^{-1} h` in row h and column g.
    """

    elements: Float[Tensor, "n dim dim"]
    quotients: Int[Tensor, "n n"]


def finite_group(name: str, dim: int, order: int = 1) -> FiniteGroup:
    """Return a finite group that acts on the plane or on space.

    Args:
        name: ``"trivial"``; in the plane ``"cyclic"`` (``order`` rotations) or ``"dihedral"`` (the
            same, and as many reflections); in space the rotations of a regular polyhedron,
            ``"tetrahedral"`` (12), ``"octahedral"`` (24) or ``"icosahedral"`` (60).
        dim: 2 or 3.
        order: number of rotations of the groups in the plane; the others do not use it.

    Raises:
        ValueError: If there is no such group.

    >>> finite_group("tetrahedral", 3).elements.shape
    torch.Size([12, 3, 3])
    """
    if dim not in FINITE_GROUPS:
        raise ValueError(f"dim must be 2 or 3, got {dim!r}")
    if name not in FINITE_GROUPS[dim]:
        raise ValueError(
            f"group must be one of {', '.join(FINITE_GROUPS[dim])} in {dim} dimensions, "
            f"got {name!r}"
        )
    if name == "trivial":
        return closed_group(torch.eye(dim, dtype=torch.float64)[None])
    if name in _VERTICES:
        return closed_group(platonic_rotations(_VERTICES[name]))
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(f"order must be a positive number of rotations, got {order!r}")
    angle = 2 * math.pi * torch.arange(order, dtype=torch.float64) / order
    cos, sin = angle.cos(), angle.sin()
    elements = torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2)
    if name == "dihedral":
        mirrored = elements @ torch.tensor([[1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
        elements = torch.cat([elements, mirrored])
    return closed_group(elements)


def closed_group(elements: Float[Tensor, "n dim dim"]) -> FiniteGroup:
    """Return the group of these matrices with its table.

    Args:
        elements: orthogonal matrices.

    Raises:
        ValueError: If they are not closed under products and inverses, not distinct, or the first
            is not the identity.
    """
    products = torch.einsum("gji,hjk->hgik", elements, elements)  # g^-1 h, row h, column g
    distance = (products.unsqueeze(2) - elements).abs().amax((-2, -1))
    same = distance < 1e-9
    identity = torch.eye(elements.shape[-1], dtype=elements.dtype)
    if not bool((same.sum(-1) == 1).all()) or not torch.allclose(elements[0], identity):
        raise ValueError(
            "elements must be the distinct matrices of a finite group, the identity first, got "
            f"{len(elements)} matrices that are not"
        )
    return FiniteGroup(elements, same.to(torch.int64).argmax(-1))
