"""Offsets of ragged arrays, and checks that make gathering from them safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.data.batch import STRUCTURE
from geozoo.ops import offsets

GraphIndex = Tensor | np.ndarray | Sequence[int]


@dataclass(frozen=True)
class Rows:
    """The rows of some graphs in a flat array.

    Attributes:
        segment: ``[N]`` graph index within the batch of each row.
        ptr: ``[G + 1]`` first row of each graph within the batch.
        position: ``[N]`` source positions of the rows; ``None`` if whole blocks are copied.
        graphs: ``[G]`` the graphs.
        size: number of rows per graph, if it is the same for all.
    """

    segment: Tensor
    ptr: Tensor
    position: Tensor | None
    graphs: Tensor
    size: int | None

    def take(self, values: Tensor) -> Tensor:
        """Gather the rows from ``values``."""
        if self.position is not None:
            return values.index_select(0, self.position)
        blocks = values.unflatten(0, (-1, self.size))
        return blocks.index_select(0, self.graphs).flatten(0, 1)

    def take_columns(self, values: Tensor) -> Tensor:
        """Gather the columns from ``values [2, ...]``."""
        if self.position is not None:
            return values.index_select(1, self.position)
        blocks = values.unflatten(1, (-1, self.size))
        return blocks.index_select(1, self.graphs).flatten(1, 2)


class Ragged:
    """Sizes and offsets of the segments of a flat array.

    ``counts`` stays on the host, which must know the size of a batch before it launches work on
    the device; a copy for the device is made once.
    """

    def __init__(self, counts: Tensor, name: str) -> None:
        self.counts = _check_counts(counts, name)
        self.total = int(self.counts.sum())
        self._size = _common_size(self.counts)
        self._counts, self._starts = self.counts, offsets(self.counts)[:-1]

    def __len__(self) -> int:
        return self.counts.shape[0]

    @property
    def device(self) -> torch.device:
        return self._counts.device

    def to(self, device: torch.device | str) -> Ragged:
        moved = object.__new__(Ragged)
        moved.__dict__.update(self.__dict__)
        moved._counts, moved._starts = self._counts.to(device), self._starts.to(device)
        return moved

    def num_pairs(self, host: Tensor) -> int | None:
        """Number of unordered pairs within segments; None if only the device knows it."""
        if self._size is not None:
            return len(host) * self._size * (self._size - 1) // 2
        if host.device.type != "cpu":
            return None
        counts = self.counts.index_select(0, host)
        return int((counts * (counts - 1)).sum()) // 2

    def rows(self, host: Tensor, local: Tensor) -> Rows:
        """Locate the rows of some graphs.

        Args:
            host: graph indices as given by the caller, on the host if possible.
            local: the same indices on the device of the store.
        """
        num_graphs, device = local.shape[0], local.device
        number = torch.arange(num_graphs + 1, device=device)
        if self._size is not None:
            segment = number[:-1, None].expand(num_graphs, self._size).reshape(-1)
            return Rows(segment, number * self._size, None, local, self._size)
        counts = self._counts.index_select(0, local)
        known = self.counts.index_select(0, host) if host.device.type == "cpu" else counts
        total = int(known.sum())
        segment, ptr = _segments(counts, total), offsets(counts)
        shift = self._starts.index_select(0, local) - ptr[:-1]
        position = torch.arange(total, device=device) + shift.index_select(0, segment)
        return Rows(segment, ptr, position, local, None)


def _segments(counts: Tensor, total: int) -> Tensor:
    """Segment index of each row: ``0`` repeated ``counts[0]`` times, ``1`` ``counts[1]`` times."""
    number = torch.arange(len(counts), device=counts.device)
    if counts.device.type == "cpu":
        # PyTorch starts its thread pool here for any size: milliseconds on a busy machine.
        return torch.from_numpy(np.repeat(number.numpy(), counts.numpy()))
    return torch.repeat_interleave(number, counts, output_size=total)


def _common_size(counts: Tensor) -> int | None:
    """The size of all segments if it is the same and not zero; None otherwise."""
    if len(counts) == 0 or counts[0] == 0 or bool((counts != counts[0]).any()):
        return None
    return int(counts[0])


def _check_counts(counts: Tensor, name: str) -> Tensor:
    if not isinstance(counts, Tensor) or counts.is_floating_point() or counts.dtype == torch.bool:
        kind = counts.dtype if isinstance(counts, Tensor) else type(counts).__name__
        raise TypeError(f"{name} must be a tensor of whole numbers, got {kind}")
    if counts.ndim != 1:
        raise ValueError(f"{name} must have shape [graphs], got {tuple(counts.shape)}")
    counts = counts.to("cpu", torch.int64).contiguous()
    if len(counts) and int(counts.min()) < 0:
        raise ValueError(f"{name} must not be negative, got {int(counts.min())}")
    return counts


def as_index(index: GraphIndex, length: int) -> Tensor:
    """A validated index tensor; on an accelerator only its dtype and shape are checked."""
    if not isinstance(index, Tensor):
        index = torch.as_tensor(np.asarray(index, dtype=None if len(index) else np.int64))
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise TypeError(f"index must hold whole numbers, got {index.dtype}")
    if index.ndim != 1:
        raise ValueError(f"index must have shape [graphs], got {tuple(index.shape)}")
    if index.device.type == "cpu" and len(index):
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= length:
            wrong = low if low < 0 else high
            raise IndexError(f"index {wrong} is out of range for a store of {length} graphs")
    return index.to(torch.int64)


def check_fields(
    fields: Mapping[str, Mapping[str, Tensor]],
    nodes: Ragged,
    edges: Ragged | None,
    edge_index: Tensor | None,
) -> None:
    """Raise an error for fields that a gather would read incorrectly."""
    if edges is not None and len(edges) != len(nodes):
        raise ValueError(f"num_edges has {len(edges)} graphs, num_nodes has {len(nodes)}")
    if edges is None and fields["edge"]:
        raise ValueError(f"edge fields {', '.join(fields['edge'])} need edge_index and num_edges")
    lengths = {"node": nodes.total, "graph": len(nodes), "edge": edges.total if edges else 0}
    seen = set(STRUCTURE) | {"num_graphs", "num_nodes"}
    for level, values in fields.items():
        for name, value in values.items():
            _check_name(name, level, seen)
            _check_field(value, f"{level} field {name!r}", lengths[level])
            seen.add(name)
    if edges is not None and edge_index is not None:
        _check_edges(edge_index, nodes, edges)


def _check_name(name: str, level: str, seen: set[str]) -> None:
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(
            f"{level} field {name!r}: a field name must be a Python identifier without a leading "
            "underscore"
        )
    if name in seen:
        raise ValueError(f"{level} field {name!r}: this name is reserved or used twice")


def _check_field(value: Tensor, what: str, length: int) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{what} must be a tensor, got {type(value).__name__}")
    if value.ndim == 0 or value.shape[0] != length:
        raise ValueError(f"{what} must have {length} rows, got shape {tuple(value.shape)}")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        wrong = int((~torch.isfinite(value)).flatten(1).any(1).sum()) if value.ndim > 1 else 1
        raise ValueError(f"{what} contains NaN or infinite values (in at least {wrong} rows)")


def _check_edges(edge_index: Tensor, nodes: Ragged, edges: Ragged) -> None:
    if edge_index.is_floating_point() or edge_index.shape != (2, edges.total):
        raise ValueError(
            f"edge_index must hold whole numbers with shape (2, {edges.total}), "
            f"got {edge_index.dtype} of shape {tuple(edge_index.shape)}"
        )
    limit = torch.repeat_interleave(nodes.counts, edges.counts)
    outside = (edge_index.cpu() < 0) | (edge_index.cpu() >= limit)
    if bool(outside.any()):
        column = int(outside.any(0).nonzero()[0])
        raise ValueError(
            f"edge_index: edge {column} connects {edge_index[:, column].tolist()}, but its graph "
            f"has {int(limit[column])} nodes; node indices must be relative to each graph"
        )


def stack_graphs(
    graphs: Sequence[Mapping[str, Any]],
    *,
    node: Sequence[str],
    edge: Sequence[str],
    graph: Sequence[str],
) -> dict[str, Any]:
    """Concatenate per-graph arrays into the arguments of a ``GraphStore``."""
    if not graphs:
        raise ValueError("graphs is empty: the fields of a store come from its first graph")
    with_edges = "edge_index" in graphs[0]
    wanted = [*node, *edge, *graph, *(["edge_index"] if with_edges else [])]
    for position, values in enumerate(graphs):
        missing = [name for name in wanted if name not in values]
        if missing:
            raise ValueError(f"graph {position} has no field {', '.join(missing)}")
    num_nodes = [_num_nodes(values, node) for values in graphs]
    num_edges = [torch.as_tensor(values["edge_index"]).shape[-1] for values in graphs if with_edges]
    _check_rows(graphs, node, num_nodes)
    _check_rows(graphs, edge, num_edges or [0] * len(graphs))
    arguments: dict[str, Any] = {
        "num_nodes": torch.tensor(num_nodes),
        "node": {name: _join(graphs, name, torch.cat) for name in node},
        "edge": {name: _join(graphs, name, torch.cat) for name in edge},
        "graph": {name: _join(graphs, name, torch.stack) for name in graph},
    }
    if with_edges:
        arguments["edge_index"] = torch.cat(
            [torch.as_tensor(values["edge_index"]).reshape(2, -1) for values in graphs], dim=1
        )
        arguments["num_edges"] = torch.tensor(num_edges)
    return arguments


def _check_rows(
    graphs: Sequence[Mapping[str, Any]], names: Sequence[str], counts: Sequence[int]
) -> None:
    for position, (values, count) in enumerate(zip(graphs, counts, strict=True)):
        for name in names:
            if len(values[name]) != count:
                raise ValueError(
                    f"graph {position}: field {name!r} must have {count} rows, got "
                    f"{len(values[name])}"
                )


def _num_nodes(values: Mapping[str, Any], node: Sequence[str]) -> int:
    if "num_nodes" in values:
        return int(values["num_nodes"])
    if not node:
        raise ValueError("a graph without node fields needs 'num_nodes'")
    return len(values[node[0]])


def _join(graphs: Sequence[Mapping[str, Any]], name: str, join: Any) -> Tensor:
    try:
        return join([torch.as_tensor(values[name]) for values in graphs])
    except RuntimeError as error:
        raise ValueError(f"field {name!r} has incompatible shapes: {error}") from error
