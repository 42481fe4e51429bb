"""Base class of message passing networks on points: inputs, neighbour lists and pooling."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_radius
from geozoo.geometry import NeighborPairs
from geozoo.models._inputs import check_channels, check_graphs, check_level, count_graphs
from geozoo.models._neighborhoods import paired_neighbors
from geozoo.models._outputs import GeometricOutput, graph_output
from geozoo.nn.edges import DirectedEdges, GivenEdges, PairedEdges, as_edges, shares_rows


class PointNetwork(nn.Module):
    """Base of geometric networks on node features and directed edges without self-loops.

    Subclasses implement :meth:`evaluate`.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: spatial dimension.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        radius: cutoff in the unit of the positions; None: complete graphs.

    Raises:
        ValueError: If a number of channels is negative, there is no input or no output, ``level``
            is unknown, or ``radius`` is not positive.
    """

    #: Whether `evaluate` takes pairs that stand for both directions, besides directed edges.
    takes_pairs: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int,
        out_vectors: int,
        dim: int,
        level: Literal["node", "graph"],
        radius: float | None,
    ) -> None:
        super().__init__()
        check_channels(in_channels, in_vectors, out_channels, out_vectors)
        check_level(level)
        check_radius(radius, optional=True)
        self.in_channels, self.in_vectors = in_channels, in_vectors
        self.out_channels, self.out_vectors = out_channels, out_vectors
        self.dim, self.level, self.radius = dim, level, radius

    @abstractmethod
    def evaluate(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        vec: Float[Tensor, "N V dim"] | None,
        edges: Any,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars ``[N, out_channels]`` and vectors ``[N, out_vectors, dim]`` of nodes.

        Args:
            pos: positions.
            x: scalar features, or None if ``in_channels`` is 0.
            vec: vector features, or None if ``in_vectors`` is 0.
            edges: directed edges without self-loops; or pairs, if the network `takes_pairs`.
        """

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | None = None,
        *,
        vec: Float[Tensor, "N V dim"] | None = None,
        num_graphs: int | None = None,
    ) -> GeometricOutput:
        """Return scalar and vector outputs.

        Args:
            pos: positions.
            x: scalar features, or None if ``in_channels`` is 0.
            batch: graph of each node, sorted.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`, used unchanged; None:
                all pairs of different nodes of a graph, within ``radius`` if it is set.
            vec: vector features, or None if ``in_vectors`` is 0.
            num_graphs: number of graphs; None: inferred from the last entry of ``batch``.

        Raises:
            ValueError: If a tensor has the wrong shape.
            IndexError: If ``edge_index`` contains an invalid node index.
        """
        given = check_graphs(
            pos, x, batch, edge_index, vec,
            dim=self.dim, in_channels=self.in_channels, in_vectors=self.in_vectors,
        )  # fmt: skip
        num_graphs = count_graphs(batch, num_graphs)
        edges = self.neighbors(pos, batch, given, num_graphs=num_graphs)
        parts = self.evaluate(
            pos, x if self.in_channels else None, vec if self.in_vectors else None, edges
        )
        return graph_output(parts, batch, num_graphs, self)

    def neighbors(
        self,
        pos: Float[Tensor, "N dim"],
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
        cell: Float[Tensor, "G dim dim"] | None = None,
        pbc: Bool[Tensor, "G dim"] | None = None,
        pairs: NeighborPairs | None = None,
    ) -> DirectedEdges | PairedEdges:
        """Return the edges that `forward` uses; see `Ponita.neighbors`."""
        if edge_index is not None:
            edges = as_edges(edge_index)
            if self.takes_pairs and isinstance(edges, PairedEdges) and shares_rows(edges):
                return edges
            return edges.directed(pos.shape[0])
        found = paired_neighbors(
            pos, batch, self.radius, num_graphs=count_graphs(batch, num_graphs),
            num_pairs=num_pairs, cell=cell, pbc=pbc, pairs=pairs,
        )  # fmt: skip
        return found.without_loops() if self.takes_pairs else found.both_directions()
