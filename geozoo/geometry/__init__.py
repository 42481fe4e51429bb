"""Rotations, orientation grids, invariants of point pairs, and graphs built from positions."""

from geozoo.geometry.graphs import (
    complete_graph,
    complete_pairs,
    directed_edges,
    knn_graph,
    radius_graph,
    radius_pairs,
)
from geozoo.geometry.grids import SPHERE_GRIDS, antipodal_order, circle_grid, sphere_grid
from geozoo.geometry.invariants import (
    distance_invariants,
    orientation_invariants,
    r2s1_invariants,
    r3s2_invariants,
    se3_invariants,
)
from geozoo.geometry.platonic import platonic_rotations, platonic_vertices
from geozoo.geometry.rotations import random_rotations

__all__ = [
    "SPHERE_GRIDS",
    "antipodal_order",
    "circle_grid",
    "complete_graph",
    "complete_pairs",
    "directed_edges",
    "distance_invariants",
    "knn_graph",
    "orientation_invariants",
    "platonic_rotations",
    "platonic_vertices",
    "r2s1_invariants",
    "r3s2_invariants",
    "radius_graph",
    "radius_pairs",
    "random_rotations",
    "se3_invariants",
    "sphere_grid",
]
