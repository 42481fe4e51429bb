"""Model inputs from an ``.npz`` file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geozoo.data import GeometricSpec, GraphStore
from geozoo.data.centring import centred
from geozoo.data.molecules._electronic_states import is_state_name, key_of, states_of_arrays
from geozoo.data.molecules._qm9_inputs import inputs_of_qm9
from geozoo.data.molecules._state_inputs import StatedGraph, state_fields
from geozoo.files.contents import report_contents
from geozoo.files.numpy_arrays import npz_names, read_npz

#: Arrays that define the graph structure.
_OF_GRAPHS = ("num_nodes", "edge_index", "num_edges", "cell", "pbc")
#: Arrays that features are made of, if there is no ``x``.
_MADE_OF = ("z",)


def read_arrays(
    path: Path, spec: GeometricSpec, *, dtype: torch.dtype = torch.float32
) -> GraphStore:
    """Read graphs from an ``.npz`` file; the log lists the arrays that were read.

    Args:
        path: the file, with ``pos [S, n, dim]``, or ``pos [N, dim]`` and ``num_nodes [S]`` for
            graphs of different sizes, or one graph without ``num_nodes`` for a model of
            `geozoo.data.Graphs`; ``x [..., F]`` and ``vec [..., V, dim]`` with the same leading
            axes if the model has these inputs; and, if the training graphs had edges,
            ``edge_index [S, 2, e]``, or ``[2, E]`` and ``num_edges [S]``: senders and receivers,
            numbered within each graph, with self-loops if the training graphs had them. For
            periodic graphs ``cell [S, 3, 3]`` with lattice vectors in rows, and ``pbc [S, 3]``;
            ``charge`` and ``spin`` ``[S]`` if they are inputs of the model.
        spec: the spec of the model's training data. If the columns of ``x`` are elements, positions
            are centred on the mean of each graph, as in training.
        dtype: precision of the model; inputs have at least float32.

    Raises:
        ValueError: If the file is not an ``.npz`` file, arrays are missing, shapes do not match,
            values are not numeric, or a charge or spin is missing or not as in training.
    """
    wanted: dict[str, tuple[int, ...]] = {"pos": (spec.dim,)}
    if spec.node_channels:
        wanted["x"] = (spec.node_channels,)
    if spec.in_vectors:
        wanted["vec"] = (spec.in_vectors, spec.dim)
    there = npz_names(path)
    known = [*wanted, *_OF_GRAPHS, *_MADE_OF]
    arrays = read_npz(path, [name for name in there if name in known], is_reported=False)
    arrays = _with_features(path, arrays, spec)
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; this model requires "
            + ", ".join(f"{name} [..., {', '.join(map(str, s))}]" for name, s in wanted.items())
        )
    num_nodes = _sizes(path, arrays, spec)
    node = {}
    for name, tail in wanted.items():
        array = arrays[name]
        if array.shape[-len(tail) :] != tail or array.dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: {name} must be numeric with shape [..., {', '.join(map(str, tail))}], "
                f"got {array.dtype} {array.shape}"
            )
        flat = array.reshape(-1, *tail)
        if len(flat) != int(num_nodes.sum()):
            raise ValueError(
                f"{path}: {name} must have {int(num_nodes.sum())} nodes, got {len(flat)}"
            )
        kept = np.float64 if dtype == torch.float64 else np.float32
        if name == "pos" and (spec.elements or inputs_of_qm9(spec.record)):
            wide = torch.from_numpy(flat.astype(np.float64))
            flat = centred(wide, torch.from_numpy(num_nodes)).numpy()
        with np.errstate(over="ignore"):  # overflow gives infinity, which GraphStore rejects
            node[name] = torch.from_numpy(flat.astype(kept))
    if spec.elements:
        _check_one_hot(path, node["x"])
    edges = _edges(path, arrays, spec)
    cells = _cells(path, arrays, len(num_nodes))
    states = read_npz(path, [name for name in there if is_state_name(name)], is_reported=False)
    is_isolated = ~cells["pbc"].any(1) if cells else torch.ones(len(num_nodes), dtype=torch.bool)
    graph, taken = _states(path, spec, states, num_nodes, node.get("x"), is_isolated)
    report_contents(path.name, [*arrays, *sorted(taken)], set(there) - arrays.keys() - taken)
    return GraphStore(torch.from_numpy(num_nodes), node=node, graph={**cells, **graph}, **edges)


def _with_features(
    path: Path, arrays: dict[str, np.ndarray], spec: GeometricSpec
) -> dict[str, np.ndarray]:
    """The arrays, with the ``x`` that `geozoo.data.Graphs` makes for files without it."""
    z = arrays.pop("z", None)
    if spec.record.dataset != "graphs" or "x" in arrays or "pos" not in arrays:
        return arrays
    if not spec.elements and spec.node_channels == 1:
        return arrays | {"x": np.ones((*arrays["pos"].shape[:-1], 1), dtype=np.float32)}
    if not spec.elements or z is None:
        return arrays
    if new := sorted(set(np.unique(z).tolist()) - set(spec.elements)):
        raise ValueError(f"{path}: z has {new}, which were not in training: {list(spec.elements)}")
    return arrays | {"x": (z[..., None] == np.array(spec.elements)).astype(np.float32)}


def _states(
    path: Path, spec: GeometricSpec, arrays: Mapping[str, np.ndarray], num_nodes: np.ndarray,
    x: torch.Tensor | None, is_isolated: torch.Tensor,
) -> tuple[dict[str, torch.Tensor], set[str]]:  # fmt: skip
    """The fields of the charge and spin if they are inputs, and the names of their arrays."""
    if not arrays and not spec.graph_inputs:
        return {}, set()
    for name, array in arrays.items():
        if spec.graph_inputs and (array.size not in (1, len(num_nodes)) or _is_odd(array)):
            raise ValueError(
                f"{path}: {name} must be {len(num_nodes)} finite numbers, one per graph, got "
                f"{array.dtype} {array.shape}"
            )
    states = states_of_arrays(arrays, len(num_nodes))
    numbers = np.zeros(int(num_nodes.sum()), dtype=np.int64)
    if spec.elements and x is not None:
        numbers = np.array(spec.elements)[x.argmax(1).numpy()]
    each = np.split(numbers, np.cumsum(num_nodes)[:-1])
    given = zip(states, each, is_isolated.tolist(), strict=True)
    graphs = [StatedGraph(state, of, alone) for state, of, alone in given]
    with_path = f"{path}: graph" if spec.graph_inputs else "graph"
    fields = state_fields(spec, graphs, with_path)
    return fields, {key_of(state, name) for name in fields for state in states}


def _is_odd(array: np.ndarray) -> bool:
    return array.dtype.kind not in "fiu" or not np.isfinite(array).all()


def _check_one_hot(path: Path, x: torch.Tensor) -> None:
    """Check that every row of the element columns is one-hot."""
    is_one = ((x == 0) | (x == 1)).all(1) & (x.sum(1) == 1)
    if not bool(is_one.all()):
        row = int(torch.nonzero(~is_one)[0, 0])
        raise ValueError(
            f"{path}: x must be the one-hot encoding of the element, a single 1 in each row; "
            f"row {row} is {x[row].tolist()}"
        )


def _edges(path: Path, arrays: dict[str, np.ndarray], spec: GeometricSpec) -> dict[str, Any]:
    """Edges as arguments of `GraphStore`; empty for a model that uses all pairs."""
    if "edge_index" not in arrays:
        if spec.has_edges:
            raise ValueError(
                f"{path} lacks edge_index: this model was trained on graphs with explicit edges. "
                "Provide edge_index [graphs, 2, edges], or edge_index [2, total edges] and "
                "num_edges [graphs], with nodes numbered within each graph"
            )
        return {}
    if spec.has_edges is False:
        raise ValueError(
            f"{path} contains edge_index, but this model was trained without explicit edges and "
            "uses all pairs: remove edge_index"
        )
    index = arrays["edge_index"]
    if index.dtype.kind not in "iu":
        raise ValueError(f"{path}: edge_index must be an integer array, got {index.dtype}")
    index = index.astype(np.int64)
    if index.ndim == 3 and index.shape[1] == 2:
        count = np.full(len(index), index.shape[2], dtype=np.int64)
        index = index.transpose(1, 0, 2).reshape(2, -1)
    elif index.ndim == 2 and len(index) == 2 and _is_one_graph(arrays, spec):
        count = np.array([index.shape[1]], dtype=np.int64)
    elif index.ndim == 2 and len(index) == 2 and "num_edges" in arrays:
        count = arrays["num_edges"].astype(np.int64)
    else:
        raise ValueError(
            f"{path}: edge_index must have shape [graphs, 2, edges], or [2, total edges] with "
            f"num_edges [graphs], got {index.shape}"
        )
    return {"edge_index": torch.from_numpy(index), "num_edges": torch.from_numpy(count)}


def _cells(path: Path, arrays: dict[str, np.ndarray], count: int) -> dict[str, torch.Tensor]:
    """Cells of periodic graphs; empty if the file has none or all graphs are isolated."""
    if ("cell" in arrays) != ("pbc" in arrays):
        given, missing = ("cell", "pbc") if "cell" in arrays else ("pbc", "cell")
        raise ValueError(
            f"{path} contains {given} without {missing}: periodic graphs need cell [graphs, 3, 3] "
            "(lattice vectors in rows) and pbc [graphs, 3] (whether periodic along each vector)"
        )
    if "cell" not in arrays:
        return {}
    cell, pbc = arrays["cell"], arrays["pbc"]
    for name, array, shape, kinds in (
        ("cell", cell, (count, 3, 3), "fiu"), ("pbc", pbc, (count, 3), "b"),
    ):  # fmt: skip
        if array.shape != shape or array.dtype.kind not in kinds:
            kind = "boolean" if kinds == "b" else "numeric"
            raise ValueError(
                f"{path}: {name} must be {kind} with shape {list(shape)}, got {array.dtype} "
                f"{list(array.shape)}"
            )
    if not pbc.any():
        return {}
    return {"cell": torch.from_numpy(cell.astype(np.float64)), "pbc": torch.from_numpy(pbc)}


def _is_one_graph(arrays: dict[str, np.ndarray], spec: GeometricSpec) -> bool:
    """Whether the file holds one graph: ``pos [n, dim]`` without ``num_nodes``.

    Only for models of `geozoo.data.Graphs`, whose training files may have this form; elsewhere
    ``num_nodes`` was forgotten.
    """
    is_own = spec.record.dataset == "graphs"
    return is_own and "num_nodes" not in arrays and arrays["pos"].ndim == 2


def _sizes(path: Path, arrays: dict[str, np.ndarray], spec: GeometricSpec) -> np.ndarray:
    pos = arrays["pos"]
    if "num_nodes" in arrays:
        sizes = arrays["num_nodes"]
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 0).any():
            raise ValueError(
                f"{path}: num_nodes must be non-negative integers of shape [graphs], "
                f"got {sizes.dtype} {sizes.shape}"
            )
        return sizes.astype(np.int64)
    if _is_one_graph(arrays, spec):
        return np.array([len(pos)], dtype=np.int64)
    if pos.ndim != 3:
        raise ValueError(
            f"{path}: pos must have shape [graphs, nodes, dim], or shape [nodes, dim] with "
            f"num_nodes [graphs]; got {pos.shape}"
        )
    return np.full(pos.shape[0], pos.shape[1], dtype=np.int64)
