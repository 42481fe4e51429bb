"""Graphs in npz files: one per file, or concatenated in one file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.data._pyg import from_data_objects
from geozoo.data.store import GraphStore
from geozoo.files.checksums import content_hash
from geozoo.files.numpy_arrays import npz_names, read_npz

#: Arrays other than targets that are read.
INPUTS = ("pos", "x", "z", "vec", "edge_index", "num_nodes", "num_edges")


def read_graphs(path: Path, targets: Sequence[str]) -> tuple[GraphStore, str]:
    """The graphs of a folder or a file, and a hash of the file contents.

    Args:
        path: a folder of ``.npz`` files with one graph each, read in the order of their names; or
            one ``.npz`` file with ``pos [S, n, dim]``, or with ``pos [N, dim]`` and
            ``num_nodes [S]``.
        targets: names of the arrays to predict.

    Raises:
        FileNotFoundError: If the path does not exist, or the folder has no ``.npz`` files.
        ValueError: If a file is corrupt, lacks an array, or shapes do not match.
    """
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if not files:
            raise FileNotFoundError(f"path: the folder {path} has no .npz files")
    elif path.is_file():
        files = [path]
    else:
        raise FileNotFoundError(f"path: there is no file or folder {path}")
    store = _of_folder(files, targets) if path.is_dir() else _of_file(path, targets)
    return store, content_hash(files)


def _read(file: Path, targets: Sequence[str], *, is_reported: bool = True) -> dict[str, Tensor]:
    there = npz_names(file)
    wanted = list(dict.fromkeys(["pos", *targets, *(name for name in there if name in INPUTS)]))
    arrays = read_npz(file, wanted, is_reported=is_reported)
    if is_reported:
        warn_of_edge_features([n for n in there if n.startswith("edge") and n not in wanted])
    for name in ("edge_index", "num_nodes", "num_edges", "z"):
        if name in arrays and arrays[name].dtype.kind not in "iu":
            raise ValueError(f"{file}: {name} must hold whole numbers, got {arrays[name].dtype}")
    return {name: torch.from_numpy(np.array(_widened(a))) for name, a in arrays.items()}


def warn_of_edge_features(names: Sequence[str]) -> None:
    """Warn of features of edges, which no network takes, by name."""
    if names:
        warnings.warn(
            f"features of edges are not read: {', '.join(names)}; no network of the zoo takes any. "
            "Networks use the edges, and distances and directions along them", stacklevel=3,
        )  # fmt: skip


def _widened(array: np.ndarray) -> np.ndarray:
    """Unsigned and short integers as int64, which torch can index with."""
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


def _of_folder(files: list[Path], targets: Sequence[str]) -> GraphStore:
    from torch_geometric.data import Data

    graphs = []
    for number, file in enumerate(files):
        arrays = _read(file, targets, is_reported=number == 0)
        arrays.pop("num_edges", None)
        size = arrays.pop("num_nodes", torch.tensor(len(arrays["pos"])))
        if arrays["pos"].ndim != 2 or int(size.sum()) != len(arrays["pos"]) or size.numel() != 1:
            raise ValueError(
                f"{file}: a file of a folder holds one graph, pos [n, dim]; got pos "
                f"{tuple(arrays['pos'].shape)} and {size.numel()} sizes"
            )
        graphs.append(Data(**arrays))
    try:
        records, levels = from_data_objects(graphs)
        return GraphStore.from_graphs(records, **levels)
    except ValueError as error:
        listed = ", ".join(f"graph {i} is {f.name}" for i, f in enumerate(files[:3]))
        raise ValueError(f"{files[0].parent}: {error} ({listed}, ...)") from error


def _of_file(file: Path, targets: Sequence[str]) -> GraphStore:
    arrays = _read(file, targets)
    sizes = _sizes(file, arrays)
    total, count = int(sizes.sum()), len(sizes)
    is_dense = arrays["pos"].ndim == 3
    edges = _edges(file, arrays, count)
    node, edge, graph = {}, {}, {}
    for name, value in arrays.items():
        level = _level(file, name, value, total, count, is_dense=is_dense, edges=edges)
        if level == "node":
            node[name] = value.flatten(0, 1) if is_dense and len(value) != total else value
        elif level == "edge":
            edge[name] = value
        else:
            graph[name] = value
    try:
        return GraphStore(sizes, node=node, graph=graph, edge=edge, **edges)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _sizes(file: Path, arrays: dict[str, Tensor]) -> Tensor:
    pos, sizes = arrays["pos"], arrays.pop("num_nodes", None)
    if sizes is None and pos.ndim == 3:
        return torch.full((len(pos),), pos.shape[1])
    if sizes is None or pos.ndim != 2 or sizes.ndim != 1:
        raise ValueError(
            f"{file}: pos must have shape [graphs, nodes, dim], or [nodes, dim] with num_nodes "
            f"[graphs]; got {tuple(pos.shape)}"
        )
    if int(sizes.sum()) != len(pos):
        raise ValueError(f"{file}: num_nodes sums to {int(sizes.sum())}, pos has {len(pos)} rows")
    return sizes


def _edges(file: Path, arrays: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    index, sizes = arrays.pop("edge_index", None), arrays.pop("num_edges", None)
    if index is None:
        return {}
    if index.ndim == 3 and index.shape[1] == 2 and len(index) == count:
        sizes = torch.full((count,), index.shape[2])
        return {"edge_index": index.transpose(0, 1).flatten(1), "num_edges": sizes}
    if index.ndim != 2 or len(index) != 2 or sizes is None:
        raise ValueError(
            f"{file}: edge_index must have shape [graphs, 2, edges], or [2, total edges] with "
            f"num_edges [graphs], nodes numbered within each graph; got {tuple(index.shape)}"
        )
    return {"edge_index": index, "num_edges": sizes}


def _level(
    file: Path, name: str, value: Tensor, total: int, count: int, *, is_dense: bool,
    edges: Mapping[str, Tensor],
) -> str:  # fmt: skip
    """Whether an array has a row per node, edge or graph."""
    rows = len(value) if value.ndim else 0
    if name in ("pos", "x", "z", "vec"):
        return "node"
    if is_dense and value.ndim >= 2 and value.shape[0] * value.shape[1] == total:
        if value.ndim == 2 and total == 3 * count:
            raise ValueError(
                f"{file}: {name} {list(value.shape)} is one number per node or a vector per graph: "
                f"write it as [{count}, 3, 1] or [{count}, 1, 3]"
            )
        return "node"
    known = {"node": total, "graph": count}
    if edges:
        known["edge"] = edges["edge_index"].shape[1]
    found = [level for level, size in known.items() if rows == size]
    if len(found) != 1:
        listed = ", ".join(f"{size} {level}s" for level, size in known.items())
        what = "matches several of" if found else "matches none of"
        raise ValueError(f"{file}: {name} has {rows} rows, which {what} {listed}")
    return found[0]
