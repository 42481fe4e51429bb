"""Solids whose surfaces are sampled uniformly by area: revolutions, prisms, ellipsoids and tori."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geozoo.data.clouds._polygons import area_of, edges_of, points_inside, signed_distance


class Solid(Protocol):
    """A solid around the axis z."""

    @property
    def area(self) -> float:
        """Area of the whole surface."""

    def level(self, points: np.ndarray) -> np.ndarray:
        """A length ``[n]`` for points ``[n, 3]``: negative inside, 0 on the surface."""

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points on the surface, uniform by area, and outward unit normals, ``[count, 3]``."""


@dataclass(frozen=True)
class Revolution:
    """A polygon rotated around the axis z.

    Attributes:
        profile: ``[m, 2]`` distance from the axis and height, counter-clockwise; edges on the axis
            are no surface.
    """

    profile: np.ndarray

    @property
    def area(self) -> float:
        """Area of all frustums."""
        return float(self._areas().sum())

    def level(self, points: np.ndarray) -> np.ndarray:
        """Signed distance to the surface."""
        flat = np.stack([np.hypot(points[:, 0], points[:, 1]), points[:, 2]], 1)
        return signed_distance(flat, self.profile, self._areas() > 0)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Solid.sample`."""
        areas = self._areas()
        start, along, normal = edges_of(self.profile)
        edge = rng.choice(len(areas), count, p=areas / areas.sum())
        near, slope = start[edge, 0], along[edge, 0]
        # The density is proportional to the distance from the axis, so its square is uniform.
        share = rng.random(count)
        radius = np.sqrt(near**2 + share * ((near + slope) ** 2 - near**2))
        steep = np.where(slope == 0, 1.0, slope)
        place = np.where(np.abs(slope) < 1e-9, share, (radius - near) / steep)
        height = start[edge, 1] + place * along[edge, 1]
        angle = rng.uniform(0, 2 * np.pi, count)
        around = np.stack([np.cos(angle), np.sin(angle)], 1)
        return _revolved(radius, height, around), _revolved(
            normal[edge, 0], normal[edge, 1], around
        )

    def _areas(self) -> np.ndarray:
        start, along, _ = edges_of(self.profile)
        return np.pi * (2 * start[:, 0] + along[:, 0]) * np.linalg.norm(along, axis=1)


@dataclass(frozen=True)
class Prism:
    """An outline extruded along z, with round holes through it.

    Attributes:
        outline: ``[m, 2]``, counter-clockwise.
        low: height of the bottom.
        high: height of the top.
        holes: ``[h, 3]`` centre and radius of holes that lie inside the outline and apart.
    """

    outline: np.ndarray
    low: float
    high: float
    holes: np.ndarray | None = None

    @property
    def area(self) -> float:
        """Area of sides, holes, bottom and top."""
        return float(sum(self._areas()))

    def level(self, points: np.ndarray) -> np.ndarray:
        """The largest of the signed distances to sides, bottom, top and holes."""
        middle = (self.high + self.low) / 2
        flat = np.abs(points[:, 2] - middle) - (self.high - self.low) / 2
        found = np.maximum(flat, signed_distance(points[:, :2], self.outline))
        for x, y, radius in self._holes():
            found = np.maximum(found, radius - np.hypot(points[:, 0] - x, points[:, 1] - y))
        return found

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Solid.sample`."""
        areas = np.array(self._areas())
        sides, holes, caps = rng.multinomial(count, areas / areas.sum()).tolist()
        parts = [self._on_sides(sides, rng), self._in_holes(holes, rng), self._on_caps(caps, rng)]
        points, normals = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = rng.permutation(count)
        return points[order], normals[order]

    def _holes(self) -> np.ndarray:
        return np.empty((0, 3)) if self.holes is None else self.holes

    def _areas(self) -> tuple[float, float, float]:
        radius = self._holes()[:, 2]
        length = np.linalg.norm(edges_of(self.outline)[1], axis=1).sum()
        height = self.high - self.low
        caps = area_of(self.outline) - np.pi * (radius**2).sum()
        return float(length * height), float(2 * np.pi * radius.sum() * height), float(2 * caps)

    def _on_sides(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        start, along, normal = edges_of(self.outline)
        length = np.linalg.norm(along, axis=1)
        edge = rng.choice(len(length), count, p=length / length.sum())
        flat = start[edge] + rng.random((count, 1)) * along[edge]
        height = rng.uniform(self.low, self.high, (count, 1))
        return np.hstack([flat, height]), np.hstack([normal[edge], np.zeros((count, 1))])

    def _in_holes(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if not count:
            return np.empty((0, 3)), np.empty((0, 3))
        holes = self._holes()
        hole = holes[rng.choice(len(holes), count, p=holes[:, 2] / holes[:, 2].sum())]
        angle = rng.uniform(0, 2 * np.pi, count)
        around = np.stack([np.cos(angle), np.sin(angle)], 1)
        height = rng.uniform(self.low, self.high, (count, 1))
        points = np.hstack([hole[:, :2] + hole[:, 2:] * around, height])
        return points, np.hstack([-around, np.zeros((count, 1))])

    def _on_caps(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        found = np.empty((0, 2))
        while len(found) < count:
            drawn = points_inside(self.outline, 2 * count, rng)
            for x, y, radius in self._holes():
                drawn = drawn[np.hypot(drawn[:, 0] - x, drawn[:, 1] - y) > radius]
            found = np.concatenate([found, drawn])
        is_top = rng.random((count, 1)) < 0.5
        points = np.hstack([found[:count], np.where(is_top, self.high, self.low)])
        return points, np.hstack([np.zeros((count, 2)), np.where(is_top, 1.0, -1.0)])


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid around the origin.

    Attributes:
        axes: its three half axes.
    """

    axes: tuple[float, float, float]

    @property
    def area(self) -> float:
        """Area by quadrature; exact for a sphere."""
        cosine, weight = np.polynomial.legendre.leggauss(64)
        angle = np.pi * (np.arange(128) + 0.5) / 64
        sine = np.sqrt(1 - cosine**2)
        unit = np.stack(
            [np.outer(sine, np.cos(angle)), np.outer(sine, np.sin(angle)),
             np.outer(cosine, np.ones(128))], -1,
        )  # fmt: skip
        return float((weight[:, None] * self._stretch(unit)).sum() * np.pi / 64)

    def level(self, points: np.ndarray) -> np.ndarray:
        """Relative distance from the centre minus 1, times the smallest half axis."""
        return (np.linalg.norm(points / np.array(self.axes), axis=1) - 1) * min(self.axes)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Solid.sample`: points of a sphere, kept by how much their area is stretched."""
        axes = np.array(self.axes)
        most = float(np.prod(axes) / axes.min())
        found = np.empty((0, 3))
        while len(found) < count:
            unit = rng.normal(size=(2 * count, 3))
            unit /= np.linalg.norm(unit, axis=1, keepdims=True)
            kept = rng.random(len(unit)) * most < self._stretch(unit)
            found = np.concatenate([found, unit[kept]])
        unit = found[:count]
        normal = unit / axes
        return unit * axes, normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def _stretch(self, unit: np.ndarray) -> np.ndarray:
        axes = np.array(self.axes)
        return np.prod(axes) * np.linalg.norm(unit / axes, axis=-1)


@dataclass(frozen=True)
class Torus:
    """A torus around the axis z.

    Attributes:
        radius: distance of the centre of the tube from the axis.
        tube: radius of the tube, smaller.
    """

    radius: float
    tube: float

    @property
    def area(self) -> float:
        """Area of the surface."""
        return 4 * np.pi**2 * self.radius * self.tube

    def level(self, points: np.ndarray) -> np.ndarray:
        """Signed distance to the surface."""
        off = np.hypot(points[:, 0], points[:, 1]) - self.radius
        return np.hypot(off, points[:, 2]) - self.tube

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Solid.sample`: angles around the tube, kept by their distance from the axis."""
        angle = np.empty(0)
        while len(angle) < count:
            drawn = rng.uniform(0, 2 * np.pi, 2 * count)
            distance = self.radius + self.tube * np.cos(drawn)
            kept = rng.random(len(drawn)) * (self.radius + self.tube) < distance
            angle = np.concatenate([angle, drawn[kept]])
        out, up = np.cos(angle[:count]), np.sin(angle[:count])
        turn = rng.uniform(0, 2 * np.pi, count)
        around = np.stack([np.cos(turn), np.sin(turn)], 1)
        points = _revolved(self.radius + self.tube * out, self.tube * up, around)
        return points, _revolved(out, up, around)


def _revolved(radius: np.ndarray, height: np.ndarray, around: np.ndarray) -> np.ndarray:
    return np.hstack([radius[:, None] * around, height[:, None]])
