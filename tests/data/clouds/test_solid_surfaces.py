"""Points on analytic surfaces: where they lie, their normals, their density and their parts."""

from __future__ import annotations

import numpy as np
import pytest

from geozoo.data.clouds._assemblies import Part, outer_points
from geozoo.data.clouds._kinds_of_solids import KINDS, part_names
from geozoo.data.clouds._polygons import rectangle, regular, signed_distance
from geozoo.data.clouds._solids import Ellipsoid, Prism, Revolution, Solid, Torus

HOLE = np.array([[0.1, 0.0, 0.3]])
SOLIDS: dict[str, Solid] = {
    "cone": Revolution(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 2.0)])),
    "tube": Revolution(rectangle((0.5, -1.0), (1.0, 1.0))),
    "nut": Prism(regular(6, 1.0), -0.2, 0.5, HOLE),
    "ellipsoid": Ellipsoid((1.0, 0.6, 0.3)),
    "torus": Torus(1.0, 0.4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_points_lie_on_the_union_and_normals_point_out_of_it(kind: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        parts = KINDS[kind](rng)
        found = outer_points(parts, 400, rng)
        levels = np.array([part.level(found.points) for part in parts])
        assert np.abs(levels.min(0)).max() < 1e-9  # on one part and inside none
        own = levels[found.part, np.arange(400)]
        assert np.abs(own).max() < 1e-9  # labelled by the part that it lies on
        assert np.allclose(np.linalg.norm(found.normals, axis=1), 1)
        outside, inside = (
            np.array([part.level(found.points + step * found.normals) for part in parts]).min(0)
            for step in (1e-6, -1e-6)
        )
        # Next to an edge a step may leave one face through another.
        assert (outside > 0).mean() > 0.995 and (inside < 0).mean() > 0.995
        assert len({*found.part}) == len(parts)


@pytest.mark.parametrize("name", SOLIDS)
def test_the_density_is_that_of_the_surface(name: str) -> None:
    """Shares of points near the surface agree with shares of the volume of a thin shell."""
    solid, rng = SOLIDS[name], np.random.default_rng(0)
    points, _ = solid.sample(20_000, rng)
    width = 0.02
    drawn = rng.uniform(-2.1, 2.1, (500_000, 3))
    near, normal = drawn[np.abs(solid.level(drawn)) < width], 1e-4
    # The level of an ellipsoid is no distance: the shell is as thick as 1 / its gradient.
    steps = [(solid.level(near + normal * e) - solid.level(near - normal * e)) for e in np.eye(3)]
    gradient = np.linalg.norm(steps, axis=0) / (2 * normal)
    area = gradient.sum() / len(drawn) * 4.2**3 / (2 * width)
    assert area == pytest.approx(solid.area, rel=0.08)
    edges = [-3, -0.77, -0.37, -0.07, 0.26, 0.73, 1.31, 3]  # none is next to a flat face
    for axis in range(3):
        shares, _ = np.histogram(near[:, axis], edges, weights=gradient)
        counts, _ = np.histogram(points[:, axis], edges)
        assert np.abs(shares / shares.sum() - counts / counts.sum()).max() < 0.035


def test_areas_are_those_of_formulas() -> None:
    assert SOLIDS["cone"].area == pytest.approx(np.pi * (1 + np.sqrt(5)))
    assert SOLIDS["tube"].area == pytest.approx(2 * np.pi * (1.5 * 2 + 0.75))
    assert Ellipsoid((2.0, 2.0, 2.0)).area == pytest.approx(16 * np.pi)
    assert Ellipsoid((1.0, 1.0, 0.5)).area == pytest.approx(8.6718827033)  # oblate spheroid
    hexagon = 1.5 * np.sqrt(3)
    nut = 6 * 0.7 + 2 * np.pi * 0.3 * 0.7 + 2 * (hexagon - np.pi * 0.09)
    assert SOLIDS["nut"].area == pytest.approx(nut)


def test_faces_that_touch_are_inside() -> None:
    low = Part("low", Prism(rectangle((-1, -1), (1, 1)), 0.0, 1.0))
    high = Part("high", Prism(rectangle((-0.5, -0.5), (0.5, 0.5)), 0.0, 1.0), (0.0, 0.0, 1.0))
    found = outer_points([low, high], 5000, np.random.default_rng(0))
    height = np.abs(found.points[:, 2] - 1) < 1e-9
    inner = (np.abs(found.points[:, :2]) < 0.5).all(1)
    assert not (height & inner).any()
    # 4 sides, bottom and the frame on top; 4 sides and the top of the upper block.
    assert (found.part == 0).mean() == pytest.approx(15 / 20, abs=0.02)


def test_a_turned_part_is_measured_in_its_own_frame() -> None:
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    part = Part("rod", Revolution(rectangle((0.0, 0.0), (0.2, 3.0))), (1.0, 2.0, 0.5), turn)
    points, normals = part.sample(200, np.random.default_rng(0))
    assert np.abs(part.level(points)).max() < 1e-9
    assert points[:, 1].min() < -0.8 and points[:, 1].max() <= 2.0  # along -y
    assert (part.level(points + 1e-6 * normals) > 0).mean() > 0.99


def test_signed_distances_of_a_square() -> None:
    square = rectangle((0, 0), (2, 2))
    points = np.array([(1.0, 1.0), (1.0, 0.25), (3.0, 1.0), (3.0, 3.0), (1.0, 2.0)])
    assert np.allclose(signed_distance(points, square), [-1, -0.25, 1, np.sqrt(2), 0])


def test_kinds_have_parts_of_their_own() -> None:
    names = [name for kind in KINDS for name in part_names(kind)]
    assert len(KINDS) >= 10 and len(names) == len(set(names))
    assert sum(len(part_names(kind)) > 1 for kind in KINDS) >= 8
    assert part_names("bolt") == ("bolt head", "bolt shank", "bolt tip")
