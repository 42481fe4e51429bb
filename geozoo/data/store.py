"""Graphs of varying sizes in flat arrays, gathered into batches by index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file
from torch import Tensor

from geozoo.data._layout import GraphIndex, Ragged, as_index
from geozoo.data._layout import check_fields as _check_fields
from geozoo.data.batch import GraphBatch
from geozoo.data.neighbor_table import NeighborTable
from geozoo.files.errors import corrupt_file_errors
from geozoo.files.safetensors_file import write_tensors

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

_FORMAT = 1


class GraphStore:
    """Graphs as concatenated tensors with offsets.

    The rows of all graphs are concatenated, so that a batch takes a few vectorised gathers and no
    Python loop over graphs. Graphs without nodes or edges are allowed. If all graphs have the same
    size, the rows of a graph are copied as one block.

    Args:
        num_nodes: number of nodes of each of the ``S`` graphs.
        node: node fields, ``[sum of num_nodes, ...]``.
        graph: graph fields, ``[S, ...]``.
        edge: edge fields, ``[sum of num_edges, ...]``.
        edge_index: ``[2, sum of num_edges]``, node indices within each graph (row 0 sender, row 1
            receiver); offset to indices within the batch when gathered.
        num_edges: number of edges of each graph; required with ``edge_index``.

    Attributes:
        node: node fields by name.
        edge: edge fields by name.
        graph: graph fields by name.
        edge_index: as given, or ``None``.
        neighbors: neighbour pairs of all graphs, see :meth:`with_neighbors`; ``None`` if they are
            found for each batch.

    Raises:
        TypeError: If a field is not a tensor, or sizes are not integers.
        ValueError: If lengths do not match, values are NaN or infinite, an edge refers to a node
            outside its graph, or a field name is reserved or used twice.

    >>> store = GraphStore(torch.tensor([2, 1]), node={"x": torch.tensor([1.0, 2.0, 3.0])})
    >>> store.gather([1, 0]).x
    tensor([3., 1., 2.])
    """

    def __init__(
        self,
        num_nodes: Int[Tensor, " S"],
        node: Mapping[str, Tensor] | None = None,
        graph: Mapping[str, Tensor] | None = None,
        *,
        edge: Mapping[str, Tensor] | None = None,
        edge_index: Int[Tensor, "2 E"] | None = None,
        num_edges: Int[Tensor, " S"] | None = None,
    ) -> None:
        self._nodes = Ragged(num_nodes, "num_nodes")
        if (edge_index is None) != (num_edges is None):
            raise ValueError("edge_index and num_edges must be given together")
        self._edges = None if num_edges is None else Ragged(num_edges, "num_edges")
        self.node, self.graph, self.edge = dict(node or {}), dict(graph or {}), dict(edge or {})
        self.edge_index = edge_index
        self.neighbors: NeighborTable | None = None
        _check_fields(self.fields, self._nodes, self._edges, edge_index)

    @property
    def fields(self) -> dict[str, dict[str, Tensor]]:
        """All fields: ``{"node": {...}, "edge": {...}, "graph": {...}}``."""
        return {"node": self.node, "edge": self.edge, "graph": self.graph}

    def __len__(self) -> int:
        """Number of graphs."""
        return len(self._nodes)

    def __repr__(self) -> str:
        """Sizes and field names."""
        names = ", ".join(f"{level}: {' '.join(v)}" for level, v in self.fields.items() if v)
        return f"GraphStore({len(self)} graphs, {self._nodes.total} nodes; {names})"

    @property
    def num_nodes(self) -> Int[Tensor, " S"]:
        """Number of nodes of each graph, on the host."""
        return self._nodes.counts

    @property
    def num_edges(self) -> Int[Tensor, " S"] | None:
        """Number of edges of each graph, on the host; ``None`` for a store without edges."""
        return None if self._edges is None else self._edges.counts

    @property
    def device(self) -> torch.device:
        """Device of the fields."""
        return self._nodes.device

    @property
    def nbytes(self) -> int:
        """Memory of all fields and edges in bytes."""
        own = sum(tensor.nbytes for tensor in self._tensors().values())
        return own + (0 if self.neighbors is None else self.neighbors.nbytes)

    def with_neighbors(
        self, radius: float, *, progress: Callable[[int], None] | None = None
    ) -> GraphStore:
        """The same graphs with the pairs of nodes within a cutoff, found once for all batches.

        Cells (fields ``cell`` and ``pbc``) are taken into account. Fields are shared, not copied.

        Args:
            radius: cutoff, in the unit of ``pos``.
            progress: called with the number of graphs just searched.

        Raises:
            ValueError: See `geozoo.geometry.neighbor_pairs`.
        """
        table = NeighborTable.find(
            self.node["pos"], self.num_nodes, radius, cell=self.graph.get("cell"),
            pbc=self.graph.get("pbc"), progress=progress,
        )  # fmt: skip
        return self.with_table(table)

    def with_table(self, table: NeighborTable) -> GraphStore:
        """The same graphs with a neighbour table that is known already."""
        found = object.__new__(GraphStore)
        found.__dict__.update(self.__dict__)
        found.neighbors = table
        return found

    def with_fields(
        self, *, node: Mapping[str, Tensor] | None = None, graph: Mapping[str, Tensor] | None = None
    ) -> GraphStore:
        """The same graphs with further fields, or new values of fields; the others are shared.

        Raises:
            ValueError: As in the constructor.
        """
        found = object.__new__(GraphStore)
        found.__dict__.update(self.__dict__)
        found.node, found.graph = {**self.node, **(node or {})}, {**self.graph, **(graph or {})}
        _check_fields(found.fields, found._nodes, found._edges, found.edge_index)
        return found

    def gather(self, index: GraphIndex) -> GraphBatch:
        """Gather graphs, in the given order, into one batch on the store's device.

        A host index is validated, and no step synchronises with the device. An index on an
        accelerator is used without bounds checks, and graphs of varying sizes then need one
        synchronisation.

        Args:
            index: graph indices ``[G]``; repeats are allowed.

        Returns:
            The batch; its ``index`` field holds the indices.

        Raises:
            TypeError: If the index does not hold integers.
            ValueError: If the index is not one-dimensional.
            IndexError: If an index is out of range.
        """
        host = as_index(index, len(self))
        local = host.to(self.device, non_blocking=True)
        rows = self._nodes.rows(host, local)
        tensors = {"batch": rows.segment, "ptr": rows.ptr, "index": local}
        levels: dict[str, str] = {}
        for name, value in self.node.items():
            tensors[name], levels[name] = rows.take(value), "node"
        for name, value in self.graph.items():
            tensors[name], levels[name] = value.index_select(0, local), "graph"
        if self._edges is not None and self.edge_index is not None:
            edges = self._edges.rows(host, local)
            shift = rows.ptr[:-1].index_select(0, edges.segment)
            tensors["edge_index"] = edges.take_columns(self.edge_index) + shift
            tensors["edge_ptr"] = edges.ptr
            for name, value in self.edge.items():
                tensors[name], levels[name] = edges.take(value), "edge"
        radius = None
        if self.neighbors is not None:
            tensors |= self.neighbors.gather(host, local, rows.ptr)
            radius = self.neighbors.radius
        return GraphBatch(
            tensors, levels=levels, num_graphs=len(host), num_pairs=self._nodes.num_pairs(host),
            neighbor_radius=radius,
        )  # fmt: skip

    def whole(self) -> GraphBatch:
        """All graphs in their order as one batch, whose fields are those of the store, not copies.

        The result of :meth:`gather` for all indices.
        """
        index = torch.arange(len(self), device=self.device)
        if self._edges is not None:
            return self.gather(index)
        rows = self._nodes.rows(index, index)
        tensors = {
            "batch": rows.segment,
            "ptr": rows.ptr,
            "index": index,
            **self.node,
            **self.graph,
        }
        levels = {**dict.fromkeys(self.node, "node"), **dict.fromkeys(self.graph, "graph")}
        radius = None
        if self.neighbors is not None:
            tensors |= self.neighbors.whole(rows.ptr)
            radius = self.neighbors.radius
        return GraphBatch(
            tensors, levels=levels, num_graphs=len(self), num_pairs=self._nodes.num_pairs(index),
            neighbor_radius=radius,
        )  # fmt: skip

    def to(self, device: torch.device | str) -> GraphStore:
        """The store on another device; the sizes of the graphs also stay on the host."""
        if torch.device(device) == self.device:
            return self
        moved = object.__new__(GraphStore)
        moved._nodes = self._nodes.to(device)
        moved._edges = None if self._edges is None else self._edges.to(device)
        for level, values in self.fields.items():
            setattr(moved, level, {name: value.to(device) for name, value in values.items()})
        moved.edge_index = None if self.edge_index is None else self.edge_index.to(device)
        moved.neighbors = None if self.neighbors is None else self.neighbors.to(device)
        return moved

    def _tensors(self) -> dict[str, Tensor]:
        """All tensors by their names in a file."""
        tensors = {
            f"{level}.{name}": value
            for level, values in self.fields.items()
            for name, value in values.items()
        }
        if self.edge_index is not None:
            tensors["edge_index"] = self.edge_index
        return tensors

    def save(self, path: str | Path, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write the store to a safetensors file atomically.

        Args:
            path: the file.
            metadata: further text for the file's header, such as a hash of the source.

        Raises:
            OSError: If the file cannot be written; the message names it.
        """
        tensors = {name: value.cpu().contiguous() for name, value in self._tensors().items()}
        tensors["num_nodes"] = self._nodes.counts
        if self._edges is not None:
            tensors["num_edges"] = self._edges.counts
        header = {**(metadata or {}), "geozoo_graph_store": str(_FORMAT)}
        write_tensors(path, tensors, metadata=header)

    @classmethod
    def load(cls, path: str | Path, *, mmap: bool = True) -> GraphStore:
        """Read a file written by :meth:`save`.

        Args:
            path: the file.
            mmap: memory-map the file instead of reading it.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file is corrupt or not a graph store.
        """
        path = Path(path)
        with corrupt_file_errors(path, "not a graph store"):
            return cls._from_tensors(load_file(path) if mmap else load_bytes(path.read_bytes()))

    @classmethod
    def _from_tensors(cls, tensors: Mapping[str, Tensor]) -> GraphStore:
        if "num_nodes" not in tensors:
            raise ValueError("it has no tensor 'num_nodes'")
        levels: dict[str, dict[str, Tensor]] = {"node": {}, "edge": {}, "graph": {}}
        for key, value in tensors.items():
            level, _, name = key.partition(".")
            if name:
                levels[level][name] = value
        return cls(
            tensors["num_nodes"], **levels,
            edge_index=tensors.get("edge_index"), num_edges=tensors.get("num_edges"),
        )  # fmt: skip

    @staticmethod
    def header(path: str | Path) -> dict[str, str] | None:
        """The ``metadata`` given to :meth:`save`; None for a missing or corrupt file."""
        try:
            with safe_open(path, framework="pt") as file:
                return dict(file.metadata() or {})
        except (SafetensorError, OSError):
            return None

    @classmethod
    def from_graphs(
        cls,
        graphs: Iterable[Mapping[str, Any]],
        *,
        node: Sequence[str] = (),
        edge: Sequence[str] = (),
        graph: Sequence[str] = (),
    ) -> GraphStore:
        """Build a store from one mapping of arrays per graph.

        Args:
            graphs: the graphs. ``edge_index [2, e]`` is optional; ``num_nodes`` is required only
                without node fields.
            node: names of the node fields, ``[n, ...]`` in each graph.
            edge: names of the edge fields, ``[e, ...]``.
            graph: names of the graph fields, ``[...]`` (no leading axis).

        Raises:
            ValueError: If there are no graphs, a graph lacks a field, or shapes are incompatible.
        """
        from geozoo.data._layout import stack_graphs

        return cls(**stack_graphs(list(graphs), node=node, edge=edge, graph=graph))

    @classmethod
    def from_pyg(cls, source: Iterable[Data] | Batch) -> GraphStore:
        """Build a store from ``Data`` objects, a ``Batch`` or a dataset of PyTorch Geometric.

        Attributes are classified as node, edge or graph fields by their size, as PyTorch
        Geometric does. Attributes that are not numeric (names, SMILES), and indices of nodes other
        than ``edge_index`` (``face``), are left out with one warning.

        Raises:
            TypeError: If an element is not a ``Data`` object.
            ValueError: If the graphs have different attributes.
        """
        from geozoo.data._pyg import from_data_objects

        graphs, levels = from_data_objects(source)
        return cls.from_graphs(graphs, **levels)

    def to_pyg_list(self) -> list[Data]:
        """One PyTorch Geometric ``Data`` object per graph."""
        from geozoo.data._pyg import graphs_to_pyg

        return graphs_to_pyg(self.gather(torch.arange(len(self))))
