"""Assemblies of solids, and points on their outer surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from geozoo.data.clouds._solids import Solid

#: Points this close to another part are inside it: faces that touch are no outer surface.
_TOUCHING = 1e-7


@dataclass(frozen=True)
class Part:
    """A solid at its place in an assembly.

    Attributes:
        name: its label.
        solid: the solid.
        shift: translation of the solid.
        turn: rotation of the solid before the translation, ``[3, 3]``; None without.
    """

    name: str
    solid: Solid
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: np.ndarray | None = None

    def level(self, points: np.ndarray) -> np.ndarray:
        """See `Solid.level`."""
        local = points - np.array(self.shift)
        return self.solid.level(local if self.turn is None else local @ self.turn)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Solid.sample`."""
        points, normals = self.solid.sample(count, rng)
        if self.turn is not None:
            points, normals = points @ self.turn.T, normals @ self.turn.T
        return points + np.array(self.shift), normals


class SurfacePoints(NamedTuple):
    """Points on the outer surface of an assembly.

    Attributes:
        points: ``[n, 3]``.
        normals: outward unit normals ``[n, 3]``.
        part: ``[n]`` index of the part that each point lies on.
    """

    points: np.ndarray
    normals: np.ndarray
    part: np.ndarray


def outer_points(parts: Sequence[Part], count: int, rng: np.random.Generator) -> SurfacePoints:
    """Points on the surface of the union of some parts, uniform by area.

    Points are drawn on the surfaces of all parts, and those inside or on another part are dropped.

    Args:
        parts: the parts.
        count: number of points.
        rng: source of randomness.
    """
    areas = np.array([part.solid.area for part in parts])
    kept: list[SurfacePoints] = []
    missing = count
    while missing > 0:
        counts = rng.multinomial(2 * missing if len(parts) > 1 else missing, areas / areas.sum())
        drawn = [_visible(parts, which, int(n), rng) for which, n in enumerate(counts)]
        found = SurfacePoints(*(np.concatenate(each) for each in zip(*drawn, strict=True)))
        order = rng.permutation(len(found.points))[:missing]
        kept.append(SurfacePoints(*(each[order] for each in found)))
        missing -= len(order)
    return SurfacePoints(*(np.concatenate(each) for each in zip(*kept, strict=True)))


def _visible(
    parts: Sequence[Part], which: int, count: int, rng: np.random.Generator
) -> SurfacePoints:
    """Points on one part that are outside all others."""
    points, normals = parts[which].sample(count, rng)
    is_outer = np.ones(count, dtype=bool)
    for other in (*parts[:which], *parts[which + 1 :]):
        is_outer &= other.level(points) > _TOUCHING
    points, normals = points[is_outer], normals[is_outer]
    return SurfacePoints(points, normals, np.full(len(points), which))
