"""Rotations, orientation grids, invariants of point pairs, and graphs built from positions."""

from geozoo.geometry.bonds import bond_orders
from geozoo.geometry.graphs import (
    PairedEdges,
    complete_graph,
    complete_pairs,
    directed_edges,
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
from geozoo.geometry.sensor_graphs import (
    distances_from_coordinates,
    distances_from_edges,
    normalized_adjacency,
    random_walk_adjacency,
    released_gaussian_adjacency,
    scaled_laplacian,
    semantic_adjacency,
    symmetrized,
    threshold_gaussian_adjacency,
)

__all__ = [
    "PART_SIZES",
    "PairedEdges",
    "SPHERE_GRIDS",
    "antipodal_order",
    "arrow_parts",
    "bond_orders",
    "check_lattice",
    "circle_grid",
    "complete_graph",
    "complete_pairs",
    "directed_edges",
    "distance_invariants",
    "distances_from_coordinates",
    "distances_from_edges",
    "frame_invariants",
    "full_tensor",
    "knn_graph",
    "lattice_indices",
    "lattice_reach",
    "lattice_steps",
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
    "released_gaussian_adjacency",
    "scaled_laplacian",
    "se3_invariants",
    "semantic_adjacency",
    "sphere_grid",
    "stencil_offsets",
    "symmetrized",
    "tensor_part_norms",
    "tensor_product_parts",
    "threshold_gaussian_adjacency",
    "weigh_parts",
]
