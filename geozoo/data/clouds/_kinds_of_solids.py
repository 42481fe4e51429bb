"""The kinds of solids and mechanical parts, with sizes drawn at random.

Sizes are ratios: clouds are scaled to the unit sphere afterwards. Ranges of different kinds
overlap, so that proportions alone do not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from geozoo.data.clouds._assemblies import Part
from geozoo.data.clouds._polygons import rectangle, regular, toothed
from geozoo.data.clouds._solids import Ellipsoid, Prism, Revolution, Torus

Make = Callable[[np.random.Generator], list[Part]]


def _ball(rng: np.random.Generator) -> list[Part]:
    a, b, c = rng.uniform(0.5, 1.0, 3).tolist()
    return [Part("ball", Ellipsoid((a, b, c)))]


def _box(rng: np.random.Generator) -> list[Part]:
    x, y, z = rng.uniform(0.3, 1.0, 3).tolist()
    return [Part("box", _block((-x, -y, -z), (x, y, z)))]


def _cylinder(rng: np.random.Generator) -> list[Part]:
    return [Part("cylinder", _rod(rng.uniform(0.3, 1.0), 0.0, rng.uniform(0.4, 2.5)))]


def _cone(rng: np.random.Generator) -> list[Part]:
    radius, height = rng.uniform(0.4, 1.0), rng.uniform(0.6, 2.5)
    return [Part("cone", _tapered(radius, 0.0, 0.0, height))]


def _torus(rng: np.random.Generator) -> list[Part]:
    return [Part("torus", Torus(1.0, rng.uniform(0.15, 0.5)))]


def _pipe(rng: np.random.Generator) -> list[Part]:
    inner, height = rng.uniform(0.5, 0.85), rng.uniform(0.3, 3.0)
    return [Part("pipe", _tube(inner, 1.0, 0.0, height))]


def _nut(rng: np.random.Generator) -> list[Part]:
    hole = np.array([[0.0, 0.0, rng.uniform(0.4, 0.7)]])
    outline = regular(6, 1.0, rng.uniform(0, 1))
    return [Part("nut", Prism(outline, 0.0, rng.uniform(0.3, 1.5), hole))]


def _bolt(rng: np.random.Generator) -> list[Part]:
    radius, length = rng.uniform(0.35, 0.65), rng.uniform(1.2, 3.0)
    head = Prism(regular(6, 1.0, rng.uniform(0, 1)), 0.0, rng.uniform(0.3, 0.8))
    tip = rng.uniform(0.3, 0.8) * radius
    return [
        Part("bolt head", head),
        Part("bolt shank", _rod(radius, -length, 0.0)),
        Part("bolt tip", _tapered(rng.uniform(0.2, 0.5) * radius, radius, -length - tip, -length)),
    ]


def _bracket(rng: np.random.Generator) -> list[Part]:
    thick, depth = rng.uniform(0.12, 0.25), rng.uniform(0.5, 1.2)
    length, height = rng.uniform(0.9, 1.6, 2).tolist()
    reach = rng.uniform(0.4, 0.7) * (min(length, height) - thick)
    center = np.array([[(length + thick) / 2 + 0.2 * reach, 0.7 * depth, 0.1 * depth]])
    base = Prism(rectangle((0.0, 0.0), (length, depth)), 0.0, thick, center)
    # The rib is a triangle in the plane of length and height, extruded along the depth.
    triangle = np.array([(0.0, 0.0), (reach, 0.0), (0.0, reach)])
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    place, wide = rng.uniform(0.2, 0.4) * depth, rng.uniform(0.1, 0.2) * depth
    return [
        Part("bracket base", base),
        Part("bracket wall", _block((0.0, 0.0, thick), (thick, depth, height))),
        Part("bracket rib", Prism(triangle, 0.0, wide), (thick, place, thick), upright),
    ]


def _shaft(rng: np.random.Generator) -> list[Part]:
    ends, middle = rng.uniform(0.5, 1.5, 2), rng.uniform(0.3, 1.2)
    thin = rng.uniform(0.3, 0.7, 2)
    return [
        Part("shaft collar", _rod(1.0, 0.0, middle)),
        Part("shaft journal", _rod(float(thin[0]), -float(ends[0]), 0.0)),
        Part("shaft journal", _rod(float(thin[1]), middle, middle + float(ends[1]))),
    ]


def _flange(rng: np.random.Generator) -> list[Part]:
    outer, thick = rng.uniform(0.35, 0.6), rng.uniform(0.12, 0.35)
    inner, height = outer * rng.uniform(0.6, 0.85), rng.uniform(0.5, 1.8)
    number, ring = int(rng.integers(4, 9)), (1 + outer) / 2
    bolts = np.hstack([regular(number, ring), np.full((number, 1), 0.3 * (1 - outer))])
    holes = np.vstack([bolts, [[0.0, 0.0, inner]]])
    # Many sides make a disc.
    return [
        Part("flange plate", Prism(regular(72, 1.0), 0.0, thick, holes)),
        Part("flange pipe", _tube(inner, outer, thick, thick + height)),
    ]


def _gear(rng: np.random.Generator) -> list[Part]:
    teeth, root = int(rng.integers(8, 17)), rng.uniform(0.75, 0.85)
    hub, thick = rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.6)
    bore = hub * rng.uniform(0.4, 0.7)
    hole = np.array([[0.0, 0.0, bore]])
    over = rng.uniform(0.2, 0.8)
    return [
        Part("gear rim", Prism(toothed(teeth, root, 1.0), 0.0, thick, hole)),
        Part("gear hub", _tube(bore, hub, thick, thick + over)),
        Part("gear hub", _tube(bore, hub, -over, 0.0)),
    ]


def _dumbbell(rng: np.random.Generator) -> list[Part]:
    half, bar = rng.uniform(0.8, 1.6), rng.uniform(0.15, 0.4)
    first, second = rng.uniform(0.5, 0.75, 2).tolist()
    return [
        Part("dumbbell bar", _rod(bar, -half, half)),
        Part("dumbbell weight", Ellipsoid((first, first, first)), (0.0, 0.0, -half)),
        Part("dumbbell weight", Ellipsoid((second, second, second)), (0.0, 0.0, half)),
    ]


def _table(rng: np.random.Generator) -> list[Part]:
    x, y, height = (rng.uniform(0.5, 1.0, 3) * (1, 1, 1.8)).tolist()
    thick, wide = rng.uniform(0.08, 0.25), rng.uniform(0.06, 0.14)
    found = [Part("table top", _block((-x, -y, 0.0), (x, y, thick)))]
    inset = wide + rng.uniform(0.02, 0.15)
    for side in (-1, 1):
        for end in (-1, 1):
            place = (side * (x - inset), end * (y - inset), 0.0)
            leg = _block((-wide, -wide, -height), (wide, wide, 0.0))
            found.append(Part("table leg", leg, place))
    return found


def _arrow(rng: np.random.Generator) -> list[Part]:
    length, head = rng.uniform(1.0, 2.5), rng.uniform(0.6, 1.4)
    radius, wide = rng.uniform(0.15, 0.4), rng.uniform(0.5, 0.9)
    return [
        Part("arrow shaft", _rod(radius, 0.0, length)),
        Part("arrow head", _tapered(wide, 0.0, length, length + head)),
    ]


#: All kinds by name, in the order of their classes.
KINDS: dict[str, Make] = {
    "ball": _ball, "box": _box, "cylinder": _cylinder, "cone": _cone, "torus": _torus,
    "pipe": _pipe, "nut": _nut, "bolt": _bolt, "bracket": _bracket, "shaft": _shaft,
    "flange": _flange, "gear": _gear, "dumbbell": _dumbbell, "table": _table, "arrow": _arrow,
}  # fmt: skip


@cache
def part_names(kind: str) -> tuple[str, ...]:
    """The names of the different parts of a kind."""
    return tuple(dict.fromkeys(part.name for part in KINDS[kind](np.random.default_rng(0))))


def _rod(radius: float, low: float, high: float) -> Revolution:
    return Revolution(rectangle((0.0, low), (radius, high)))


def _tube(inner: float, outer: float, low: float, high: float) -> Revolution:
    return Revolution(rectangle((inner, low), (outer, high)))


def _tapered(bottom: float, top: float, low: float, high: float) -> Revolution:
    corners = [(0.0, low), (bottom, low), (top, high), (0.0, high)]
    # A cone ends in a point, where two of the corners are the same.
    return Revolution(np.array(list(dict.fromkeys(corners))))


def _block(low: tuple[float, float, float], high: tuple[float, float, float]) -> Prism:
    return Prism(rectangle(low[:2], high[:2]), low[2], high[2])
