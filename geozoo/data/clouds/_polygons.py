"""Polygons in the plane: signed distances, edges with normals, and points inside."""

from __future__ import annotations

import numpy as np


def signed_distance(
    points: np.ndarray, polygon: np.ndarray, kept: np.ndarray | None = None
) -> np.ndarray:
    """Distance of points to the edges of a polygon, negative inside.

    Args:
        points: ``[n, 2]``.
        polygon: vertices ``[m, 2]``, counter-clockwise.
        kept: ``[m]`` whether the edge from each vertex to the next counts for the distance; None:
            all do.

    Returns:
        ``[n]``.
    """
    start, along = polygon, np.roll(polygon, -1, 0) - polygon
    from_start = points[:, None] - start
    share = (from_start * along).sum(-1) / (along**2).sum(-1)
    nearest = from_start - share.clip(0, 1)[..., None] * along
    distance = np.sqrt((nearest**2).sum(-1))
    if kept is not None:
        distance = distance[:, kept]
    # Edges that a ray in the direction of the first axis crosses.
    end = start + along
    is_between = (start[:, 1] > points[:, 1:]) != (end[:, 1] > points[:, 1:])
    height = np.where(along[:, 1] == 0, 1.0, along[:, 1])
    crossing = start[:, 0] + (points[:, 1:] - start[:, 1]) / height * along[:, 0]
    is_inside = (is_between & (points[:, :1] < crossing)).sum(1) % 2 == 1
    return np.where(is_inside, -1.0, 1.0) * distance.min(1)


def edges_of(polygon: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start ``[m, 2]``, vector to the end ``[m, 2]`` and outward normal ``[m, 2]`` of each edge.

    Args:
        polygon: vertices ``[m, 2]``, counter-clockwise.
    """
    along = np.roll(polygon, -1, 0) - polygon
    normal = np.stack([along[:, 1], -along[:, 0]], 1)
    return polygon, along, normal / np.linalg.norm(normal, axis=1, keepdims=True)


def area_of(polygon: np.ndarray) -> float:
    """The area enclosed by a counter-clockwise polygon."""
    following = np.roll(polygon, -1, 0)
    return float((polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum() / 2)


def points_inside(polygon: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points in a polygon, uniform by area, ``[count, 2]``."""
    low, high = polygon.min(0), polygon.max(0)
    found = np.empty((0, 2))
    while len(found) < count:
        drawn = rng.uniform(low, high, (2 * count + 16, 2))
        found = np.concatenate([found, drawn[signed_distance(drawn, polygon) < 0]])
    return found[:count]


def regular(sides: int, radius: float, turn: float = 0.0) -> np.ndarray:
    """A regular polygon ``[sides, 2]`` with its vertices at a distance from the origin."""
    angle = turn + 2 * np.pi * np.arange(sides) / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def toothed(teeth: int, inner: float, outer: float) -> np.ndarray:
    """The outline of a gear with trapezoidal teeth, ``[4 * teeth, 2]``.

    Args:
        teeth: number of teeth.
        inner: distance of the vertices between teeth from the origin.
        outer: distance of the vertices of the teeth from the origin.
    """
    part = np.array([-0.32, -0.16, 0.16, 0.32])
    angle = 2 * np.pi * (np.arange(teeth)[:, None] + part).ravel() / teeth
    radius = np.tile([inner, outer, outer, inner], teeth)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def rectangle(low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """A rectangle ``[4, 2]`` with its sides along the axes."""
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])], dtype=np.float64)
