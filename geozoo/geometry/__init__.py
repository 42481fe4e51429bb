"""Rotations, orientation grids, invariants of point pairs, and graphs built from positions."""

from geozoo.geometry.adjacency import (
    normalized_adjacency,
    random_walk_adjacency,
    scaled_laplacian,
    symmetrized,
)
from geozoo.geometry.clifford import (
    CLIFFORD_DIMS,
    CliffordAlgebra,
    blade_sign,
    clifford_algebra,
    embed_grade,
    geometric_product,
    grade_parts,
    grade_squares,
    reversion,
    weigh_grades,
)
from geozoo.geometry.finite_groups import FINITE_GROUPS, FiniteGroup, closed_group, finite_group
from geozoo.geometry.graphs import (
    PairedEdges,
    complete_graph,
    complete_pairs,
    directed_edges,
    edge_vectors,
    knn_graph,
    pair_edges,
    radius_graph,
    radius_pairs,
)
from geozoo.geometry.grids import SPHERE_GRIDS, antipodal_order, circle_grid, sphere_grid
from geozoo.geometry.invariants import (
    distance_invariants,
    frame_invariants,
    orientation_invariants,
    r2s1_invariants,
    r3s2_invariants,
    se3_invariants,
)
from geozoo.geometry.lattices import (
    check_lattice,
    lattice_indices,
    lattice_reach,
    lattice_steps,
    stencil_offsets,
)
from geozoo.geometry.neighbors import NeighborPairs, neighbor_pairs
from geozoo.geometry.platonic import platonic_rotations, platonic_vertices
from geozoo.geometry.rank_two import (
    PART_SIZES,
    arrow_parts,
    full_tensor,
    tensor_part_norms,
    tensor_product_parts,
    weigh_parts,
)
from geozoo.geometry.rotations import random_rotations
from geozoo.geometry.sampling import SampledPoints, farthest_points, nearest_graph

__all__ = [
    "CLIFFORD_DIMS",
    "CliffordAlgebra",
    "FINITE_GROUPS",
    "FiniteGroup",
    "NeighborPairs",
    "PART_SIZES",
    "PairedEdges",
    "SPHERE_GRIDS",
    "SampledPoints",
    "antipodal_order",
    "arrow_parts",
    "blade_sign",
    "check_lattice",
    "circle_grid",
    "clifford_algebra",
    "closed_group",
    "complete_graph",
    "complete_pairs",
    "directed_edges",
    "distance_invariants",
    "edge_vectors",
    "embed_grade",
    "farthest_points",
    "finite_group",
    "frame_invariants",
    "full_tensor",
    "geometric_product",
    "grade_parts",
    "grade_squares",
    "knn_graph",
    "lattice_indices",
    "lattice_reach",
    "lattice_steps",
    "nearest_graph",
    "neighbor_pairs",
    "normalized_adjacency",
    "orientation_invariants",
    "pair_edges",
    "platonic_rotations",
    "platonic_vertices",
    "r2s1_invariants",
    "r3s2_invariants",
    "radius_graph",
    "radius_pairs",
    "random_rotations",
    "random_walk_adjacency",
    "reversion",
    "scaled_laplacian",
    "se3_invariants",
    "sphere_grid",
    "stencil_offsets",
    "symmetrized",
    "tensor_part_norms",
    "tensor_product_parts",
    "weigh_grades",
    "weigh_parts",
]

#: Functions that have moved to `geozoo.data`.
_MOVED = (
    "bond_orders",
    "distances_from_coordinates",
    "distances_from_edges",
    "released_gaussian_adjacency",
    "semantic_adjacency",
    "threshold_gaussian_adjacency",
)


def __getattr__(name: str) -> object:
    """Forward functions that earlier versions provided in this package."""
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings
    from importlib import import_module

    warnings.warn(
        f"geozoo.geometry.{name} has moved to geozoo.data.{name}", DeprecationWarning, stacklevel=2
    )
    return getattr(import_module("geozoo.data"), name)
