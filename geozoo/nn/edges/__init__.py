"""Edges of a graph: directed, weighted, paired, sorted, a lattice stencil, or between two scales.

Layers accept any of them, and plain tensors ``[2, E]``, through `as_edges`.
"""

from geozoo.nn.edges.between import BetweenScales
from geozoo.nn.edges.directed import DirectedEdges
from geozoo.nn.edges.family import Edges
from geozoo.nn.edges.given import GivenEdges, as_directed, as_edges
from geozoo.nn.edges.kernel import Kernel, apply_kernel
from geozoo.nn.edges.paired import PairedEdges
from geozoo.nn.edges.periodic import edges_of_pairs
from geozoo.nn.edges.rows import as_edge_rows, shares_rows
from geozoo.nn.edges.sorted import SortedEdges
from geozoo.nn.edges.stencil import Stencil, lattice_stencil
from geozoo.nn.edges.weighted import WeightedEdges

__all__ = [
    "BetweenScales",
    "DirectedEdges",
    "Edges",
    "GivenEdges",
    "Kernel",
    "PairedEdges",
    "SortedEdges",
    "Stencil",
    "WeightedEdges",
    "apply_kernel",
    "as_directed",
    "as_edge_rows",
    "as_edges",
    "edges_of_pairs",
    "lattice_stencil",
    "shares_rows",
]
