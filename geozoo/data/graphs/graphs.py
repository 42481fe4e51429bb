"""Your own graphs with positions, from files or from PyTorch Geometric."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from geozoo.data.centring import centred
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.graphs._graph_files import read_graphs
from geozoo.data.graphs._targets import Target, target_of
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import random_split, split_hash
from geozoo.data.store import GraphStore
from geozoo.files.numpy_arrays import read_npz

if TYPE_CHECKING:
    from torch_geometric.data import Data

_LOG = logging.getLogger(__name__)
_PARTS = ("train", "val", "test")
#: Largest number of different values of ``z`` that become columns of ``x``.
_MOST_ELEMENTS = 118


class Graphs(GraphDataModule):
    """Graphs with positions and one target, from ``.npz`` files or ``Data`` objects.

    Targets are numbers per graph or per node (``task=regression``), or classes of graphs
    (``task=classification``); the log says which.

    ============== ============ ======= ========================================================
    field          shape        dtype   meaning
    ============== ============ ======= ========================================================
    ``pos``        ``[N, dim]`` float32 positions, in 2D or 3D; centred if made from ``z``
    ``x``          ``[N, F]``   float32 features; without: one-hot ``z``, or a column of ones
    ``vec``        ``[N, V]``   float32 vectors ``[N, V, dim]``, if given
    ``edge_index`` ``[2, E]``   int64   edges, if given; without: all pairs or a cutoff
    target         ``[G]/[N]``  float64 the target; int64 for classes
    ============== ============ ======= ========================================================

    Args:
        path: a folder of ``.npz`` files with one graph each, or one ``.npz`` file with all; None:
            ``graphs`` are given. Nothing is unpickled.
        graphs: from Python: ``Data`` objects or a dataset of PyTorch Geometric.
        target: name of the field to predict.
        target_column: column of a target with several; None: it has one.
        classes: whether the target holds class indices; None: if it holds whole numbers.
        unit: unit of the target.
        fractions: shares of training, validation and test graphs, of a random split.
        split_seed: seed of the random split.
        split_file: ``.npz`` file with the indices ``train``, ``val`` and ``test``, instead.
        loader: batch sizes, shuffling and device placement.

    Raises:
        ValueError: If neither or both of ``path`` and ``graphs`` are given.
    """

    standard_task: ClassVar[str | None] = "regression"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        path: str | Path | None = None,
        graphs: Iterable[Data] | None = None,
        target: str = "y",
        target_column: int | None = None,
        classes: bool | None = None,
        unit: str = "1",
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 0,
        split_file: str | Path | None = None,
    ) -> None:
        super().__init__(loader)
        if (path is None) == (graphs is None):
            raise ValueError(
                "path (a folder of npz files, or one file) or, from Python, graphs must be given"
            )
        if len(fractions) != len(_PARTS):
            raise ValueError(f"fractions must be those of {_PARTS}, got {list(fractions)}")
        self.path = None if path is None else Path(path).expanduser()
        self.graphs, self.target, self.target_column = graphs, target, target_column
        self.classes, self.unit = classes, unit
        self.fractions, self.split_seed = tuple(float(each) for each in fractions), split_seed
        self.split_file = None if split_file is None else Path(split_file).expanduser()

    def load(self) -> LoadedData:
        """Read the graphs.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If a file is corrupt, there are no positions, or the target cannot be
                predicted.
        """
        if self.path is not None:
            given, digest = read_graphs(self.path, self.target)
            source = self.path.name
        else:
            assert self.graphs is not None
            given, source = GraphStore.from_pyg(self.graphs), type(self.graphs).__name__
            digest = _hash(given)
        target = target_of(given, self.target, column=self.target_column, classes=self.classes)
        store, elements = _inputs(given, target)
        splits = self.limited(self._splits(len(store)))
        _LOG.info("%s: %d graphs; %s", source, len(store), target)
        spec = self._spec(store, target, splits, elements, source=source, digest=digest)
        return LoadedData(store, splits, spec)

    def _splits(self, count: int) -> dict[str, Tensor]:
        if self.split_file is not None:
            arrays = read_npz(self.split_file, list(_PARTS))
            return {part: torch.from_numpy(arrays[part]).long() for part in _PARTS}
        sizes = dict(zip(_PARTS, self.fractions, strict=True))
        return random_split(count, sizes, seed=self.split_seed)

    def _spec(
        self, store: GraphStore, target: Target, splits: Mapping[str, Tensor],
        elements: tuple[int, ...], *, source: str, digest: str,
    ) -> GeometricSpec:  # fmt: skip
        shares = "/".join(f"{share:g}" for share in self.fractions)
        split = f"random {shares}, seed {self.split_seed}"
        record = DataRecord(
            dataset="graphs", target=target.name, source=source, source_hash=digest,
            split=split if self.split_file is None else f"given by {self.split_file.name}",
            split_hash=split_hash(splits),
            sizes={part: len(index) for part, index in splits.items()},
        )  # fmt: skip
        has_vectors = "vec" in store.node
        return GeometricSpec(
            level=target.level, dim=store.node["pos"].shape[1],
            in_channels=store.node["x"].shape[1],
            in_vectors=store.node["vec"].shape[1] if has_vectors else 0,
            out_channels=target.num_classes or 1, elements=elements,
            vector_fields=("pos", "vec") if has_vectors else ("pos",),
            target=target.name, units={"pos": "length", target.name: self.unit},
            statistics=_statistics(store, target, splits["train"]), record=record,
        )  # fmt: skip


def _inputs(given: GraphStore, target: Target) -> tuple[GraphStore, tuple[int, ...]]:
    """The fields that models read and the target, and the elements of the columns of ``x``."""
    pos = given.node.get("pos")
    if pos is None or pos.ndim != 2 or pos.shape[1] not in (2, 3):
        found = "no pos" if pos is None else f"shape {tuple(pos.shape)}"
        raise ValueError(f"graphs must have positions pos [n, 2] or [n, 3], got {found}")
    node = {"pos": pos.float()}
    elements: tuple[int, ...] = ()
    if "x" in given.node:
        node["x"] = given.node["x"].float().flatten(1) if given.node["x"].ndim > 1 else (
            given.node["x"].float()[:, None]
        )  # fmt: skip
    elif "z" in given.node:
        node["x"], elements = _one_hot(given.node["z"])
        node["pos"] = centred(pos.double(), given.num_nodes).float()  # as structures are
    else:
        node["x"] = torch.ones(len(pos), 1)
    if "vec" in given.node:
        vec = given.node["vec"].float()
        node["vec"] = vec[:, None] if vec.ndim == 2 else vec
        if node["vec"].shape[2:] != pos.shape[1:]:
            raise ValueError(
                f"vec must have shape [n, V, {pos.shape[1]}], got {tuple(vec.shape)} per batch"
            )
    of_target = {target.name: target.values}
    is_node = target.level == "node"
    store = GraphStore(
        given.num_nodes, node=node | (of_target if is_node else {}),
        graph={} if is_node else of_target, edge_index=given.edge_index, num_edges=given.num_edges,
    )  # fmt: skip
    read = {*node, "z", target.name, target.name.rpartition("_")[0]}
    others = {*given.node, *given.edge, *given.graph} - read
    if others:
        _LOG.info("fields that are not read: %s", ", ".join(sorted(others)))
    return store, elements


def _one_hot(z: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    known = torch.unique(z)
    if z.ndim != 1 or z.is_floating_point() or len(known) > _MOST_ELEMENTS or int(known[0]) < 1:
        raise ValueError(f"z must hold one atomic number per node, got shape {tuple(z.shape)}")
    return (z[:, None] == known).float(), tuple(known.tolist())


def _statistics(
    store: GraphStore, target: Target, train: Tensor
) -> dict[str, float | int | list[str]]:
    if target.num_classes:
        return {"classes": [str(number) for number in range(target.num_classes)]}
    batch = store.gather(train)
    values = getattr(batch, target.name).double()
    scale = float(values.std()) if len(values) > 1 else 0.0
    return {
        f"{target.name}_shift": float(values.mean()),
        f"{target.name}_scale": scale if scale > 0 else 1.0,
    }


def _hash(store: GraphStore) -> str:
    digest = hashlib.sha256(store.num_nodes.numpy().tobytes())
    for fields in store.fields.values():
        for name in sorted(fields):
            digest.update(name.encode() + fields[name].contiguous().numpy().tobytes())
    if store.edge_index is not None:
        digest.update(store.edge_index.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
