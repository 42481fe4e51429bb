"""Vertices and rotation groups of the regular polyhedra."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

_GOLDEN = (1 + 5**0.5) / 2


def _cyclic(points: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    return [permuted for a, b, c in points for permuted in ((a, b, c), (b, c, a), (c, a, b))]


def platonic_vertices(num: int) -> Float[Tensor, "num 3"]:
    """Return the vertices of the regular polyhedron with ``num`` vertices as unit vectors, float64.

    4: tetrahedron, 6: octahedron, 8: cube, 12: icosahedron, 20: dodecahedron. Coordinates: H. S. M.
    Coxeter, Regular Polytopes, section 3.7.

    Raises:
        ValueError: If no regular polyhedron has ``num`` vertices.
    """
    signs = (1.0, -1.0)
    cube = list(itertools.product(signs, repeat=3))
    tables = {
        4: [p for p in cube if p[0] * p[1] * p[2] > 0],
        6: _cyclic([(s, 0.0, 0.0) for s in signs]),
        8: cube,
        12: _cyclic([(0.0, s, t * _GOLDEN) for s in signs for t in signs]),
        20: cube + _cyclic([(0.0, s / _GOLDEN, t * _GOLDEN) for s in signs for t in signs]),
    }
    if num not in tables:
        raise ValueError(
            f"num must be the number of vertices of a regular polyhedron, one of {sorted(tables)}, "
            f"got {num!r}"
        )
    return torch.nn.functional.normalize(torch.tensor(tables[num], dtype=torch.float64), dim=-1)


def platonic_rotations(num: int) -> Float[Tensor, "size 3 3"]:
    """Return all rotations that map the vertices of `platonic_vertices(num)` to themselves.

    The group has 12 elements for the tetrahedron, 24 for octahedron and cube, 60 for icosahedron
    and dodecahedron. A pair of adjacent vertices determines a rotation, so every image of one such
    pair is tested.

    Raises:
        ValueError: If no regular polyhedron has ``num`` vertices.
    """
    vertices = platonic_vertices(num)
    cosines = vertices @ vertices.T
    edge = cosines[cosines < 1 - 1e-9].max()
    first, second = (int(i) for i in ((cosines - edge).abs() < 1e-9).nonzero()[0])
    frame = _frame(vertices[first], vertices[second])
    rotations = []
    for a, b in ((cosines - edge).abs() < 1e-9).nonzero().tolist():
        rotation = _frame(vertices[a], vertices[b]) @ frame.T
        if torch.cdist(vertices @ rotation.T, vertices).min(1).values.max() < 1e-6:
            rotations.append(rotation)
    return torch.stack(rotations)


def _frame(u: Tensor, v: Tensor) -> Tensor:
    """Right-handed orthonormal frame (columns): first axis along u, second in the u-v plane."""
    first = u / u.norm()
    second = v - (v @ first) * first
    second = second / second.norm()
    return torch.stack([first, second, torch.linalg.cross(first, second)], 1)
