"""Conversion between graph stores and PyTorch Geometric data objects."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from geozoo.data.fields import FIELDS

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

    from geozoo.data.batch import GraphBatch

_LEVELS = ("node", "edge", "graph")


def batch_to_pyg(batch: GraphBatch) -> Batch:
    """A ``torch_geometric`` batch of the same graphs, made by its collate function."""
    from torch_geometric.data import Batch

    graphs = graphs_to_pyg(batch)
    if not graphs:
        raise ValueError("to_pyg needs at least one graph; this batch has none")
    return Batch.from_data_list(graphs)


def graphs_to_pyg(batch: GraphBatch) -> list[Data]:
    """One ``Data`` object per graph."""
    from torch_geometric.data import Data

    return [Data(**fields) for fields in batch.graphs()]


def from_data_objects(source: Iterable[Data] | Batch) -> tuple[list[dict[str, Any]], dict]:
    """The graphs as plain dicts, and the level of every field.

    Args:
        source: ``Data`` objects, a dataset of them, or one ``Batch``.

    Returns:
        The graphs with ``num_nodes``, and ``{"node": names, "edge": names, "graph": names}``.

    Attributes that are not numeric (names, SMILES, lists of texts, sparse matrices), and indices of
    nodes other than ``edge_index`` (``face``), are left out with one warning.

    Raises:
        TypeError: If an element is not a ``Data`` object.
        ValueError: If the graphs have different attributes.
    """
    from torch_geometric.data import Batch, Data

    graphs = source.to_data_list() if isinstance(source, Batch) else list(source)
    graphs = _without_texts(graphs) if all(isinstance(each, Data) for each in graphs) else graphs
    for position, graph in enumerate(graphs):
        if not isinstance(graph, Data):
            raise TypeError(
                f"from_pyg: element {position} must be a torch_geometric.data.Data, "
                f"got {type(graph).__name__}"
            )
    names = _common_names(graphs)
    levels: dict[str, list[str]] = {level: [] for level in _LEVELS}
    for name in names:
        levels[_level_of(name, graphs)].append(name)
    records = [_record(graph, levels, position) for position, graph in enumerate(graphs)]
    return records, levels


def _without_texts(graphs: Sequence[Data]) -> list[Data]:
    """The graphs without attributes that are not numeric or that index nodes; one warning."""
    left_out = sorted(
        {name for graph in graphs for name in _names(graph) if not _is_field(name, graph[name])}
    )
    if not left_out:
        return list(graphs)
    warnings.warn(
        f"from_pyg: {', '.join(left_out)} left out: fields hold numbers per node, edge or graph",
        stacklevel=5,
    )
    return [_copy_without(graph, left_out) for graph in graphs]


def _copy_without(graph: Data, names: Sequence[str]) -> Data:
    found = copy.copy(graph)
    for name in names:
        if name in found:
            del found[name]
    return found


def _is_field(name: str, value: Any) -> bool:
    """Whether an attribute can be a field: numbers that do not index nodes."""
    if "index" in name or name == "face" or not name.isidentifier() or name.startswith("_"):
        return False
    if isinstance(value, Tensor):
        return value.layout == torch.strided
    return isinstance(value, bool | int | float)


def _common_names(graphs: Sequence[Data]) -> list[str]:
    """The attribute names of the first graph, after checking that all graphs share them."""
    if not graphs:
        return []
    names = _names(graphs[0])
    for position, graph in enumerate(graphs):
        differing = set(names) ^ set(_names(graph))
        has_edges = graph.edge_index is not None
        if has_edges != (graphs[0].edge_index is not None):
            differing.add("edge_index")
        if differing:
            raise ValueError(
                f"from_pyg: graph {position} and graph 0 must have the same attributes; "
                f"only one of them has {', '.join(sorted(differing))}"
            )
    return names


def _names(graph: Data) -> list[str]:
    return [name for name in graph.keys() if name not in ("edge_index", "num_nodes")]  # noqa: SIM118


def _level_of(name: str, graphs: Sequence[Data]) -> str:
    """The level of an attribute on which all graphs agree, by the rules of PyTorch Geometric.

    PyTorch Geometric classifies by size, which is ambiguous for some graphs (``y [1, 19]`` of a
    single-atom molecule; as many edges as nodes). If the graphs disagree, the level whose size
    matches every graph is used.
    """
    if _has_known_shape(name, graphs):
        return "graph"
    levels = {_level_in(name, graph) for graph in graphs}
    if len(levels) == 1:
        return levels.pop()
    sizes = [_rows(graph[name]) for graph in graphs]
    if sizes == [graph.num_nodes for graph in graphs]:
        return "node"
    if sizes == [graph.num_edges for graph in graphs]:
        return "edge"
    return "graph"


def _has_known_shape(name: str, graphs: Sequence[Data]) -> bool:
    """Whether an attribute is a tensor per graph of the registry, such as the cell.

    PyTorch Geometric would take the cell of a graph of three atoms, or of one, for a node field.
    """
    field = FIELDS.get(name)
    if field is None or field.level != "graph" or not field.shape:
        return False
    shapes = {tuple(graph[name].shape) for graph in graphs if isinstance(graph[name], Tensor)}
    return shapes <= {field.shape, (1, *field.shape)}


def _level_in(name: str, graph: Data) -> str:
    if graph.is_node_attr(name):
        return "node"
    return "edge" if graph.is_edge_attr(name) else "graph"


def _rows(value: Any) -> int | None:
    return value.shape[0] if isinstance(value, Tensor) and value.ndim else None


def _record(graph: Data, levels: Mapping[str, Sequence[str]], position: int) -> dict[str, Any]:
    record: dict[str, Any] = {"num_nodes": graph.num_nodes}
    for level, names in levels.items():
        for name in names:
            value = graph[name]
            record[name] = _graph_row(torch.as_tensor(value)) if level == "graph" else value
    if graph.edge_index is not None:
        record["edge_index"] = graph.edge_index
    return record


def _graph_row(value: Tensor) -> Tensor:
    """A graph attribute without its leading axis: ``[1, ...]`` becomes ``[...]``."""
    return value[0] if value.ndim and value.shape[0] == 1 else value
