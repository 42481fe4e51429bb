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
from geozoo.data.graphs._graph_files import read_graphs, warn_of_edge_features
from geozoo.data.graphs._targets import graph_targets
from geozoo.data.loader import LoaderOptions
from geozoo.data.properties._target_fields import (
    TargetFields,
    statistics_of,
    target_units,
    vector_fields,
)
from geozoo.data.properties._target_kinds import Kind
from geozoo.data.properties._target_options import checked_kinds, checked_targets, checked_units
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import PARTS, random_split, read_split, split_hash
from geozoo.data.store import GraphStore

if TYPE_CHECKING:
    from torch_geometric.data import Data

_LOG = logging.getLogger(__name__)
#: Largest number of different values of ``z`` that become columns of ``x``.
_MOST_ELEMENTS = 118


class Graphs(GraphDataModule):
    """Graphs with positions and targets, from ``.npz`` files or ``Data`` objects.

    Targets are numbers and vectors of graphs or of nodes, several at once, one class of graphs or
    of nodes, or several labels of graphs; the log says which.

    ============== ============ ======= ========================================================
    field          shape        dtype   meaning
    ============== ============ ======= ========================================================
    ``pos``        ``[N, dim]`` float32 positions, in 2D or 3D; centred if made from ``z``
    ``x``          ``[N, F]``   float32 features; without: one-hot ``z``, or a column of ones
    ``vec``        ``[N, V]``   float32 vectors ``[N, V, dim]``, if given
    ``edge_index`` ``[2, E]``   int64   edges, if given; without: all pairs or a cutoff
    targets        ``[G]/[N]``  float64 numbers, or vectors ``[G, dim]/[N, dim]``; int64 classes
    ============== ============ ======= ========================================================

    Args:
        path: a folder of ``.npz`` files with one graph each, or one ``.npz`` file with all; None:
            ``graphs`` are given. Nothing is unpickled.
        graphs: from Python: ``Data`` objects or a dataset of PyTorch Geometric.
        targets: names of the fields to predict.
        columns: columns of fields with several; None: all, each a target ``<field>_<column>``.
        kind: ``scalar``, ``vector``, ``classes`` or ``labels``, of all or by field; None: that of
            the data.
        classes: names of the classes in the order of their indices; None: the indices.
        units: unit of each field.
        fractions: shares of training, validation and test graphs, of a random split.
        split_seed: seed of the random split.
        split_file: ``.npz`` file with the indices ``train``, ``val`` and ``test``, instead.
        loader: batch sizes, shuffling and device placement.

    Raises:
        ValueError: If neither or both of ``path`` and ``graphs`` are given.
    """

    standard_task: ClassVar[str | None] = "properties"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        path: str | Path | None = None,
        graphs: Iterable[Data] | None = None,
        targets: Sequence[str] | str = "y",
        columns: Sequence[int] | int | None = None,
        kind: Kind | Mapping[str, Kind] | None = None,
        classes: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 0,
        split_file: str | Path | None = None,
    ) -> None:
        super().__init__(loader)
        if (path is None) == (graphs is None):
            raise ValueError(
                "path (a folder of npz files, or one file) or, from Python, graphs must be given"
            )
        if len(fractions) != len(PARTS):
            raise ValueError(f"fractions must be those of {PARTS}, got {list(fractions)}")
        self.path = None if path is None else Path(path).expanduser()
        self.graphs, self.targets = graphs, checked_targets(targets)
        self.columns = [columns] if isinstance(columns, int) else columns
        self.kind = checked_kinds(kind, self.targets)
        self.classes = None if classes is None else [str(each) for each in classes]
        self.units = checked_units(units, self.targets)
        self.fractions, self.split_seed = tuple(float(each) for each in fractions), split_seed
        self.split_file = None if split_file is None else Path(split_file).expanduser()

    def load(self) -> LoadedData:
        """Read the graphs.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If a file is corrupt, there are no positions, or targets cannot be
                predicted.
        """
        if self.path is not None:
            given, digest = read_graphs(self.path, self.targets)
            source = self.path.name
        else:
            assert self.graphs is not None
            given, source = GraphStore.from_pyg(self.graphs), type(self.graphs).__name__
            digest = _hash(given)
        store, elements = _inputs(given, self.targets)
        fields = graph_targets(
            given, self.targets, columns=self.columns, kinds=self.kind, classes=self.classes,
            units=self.units,
        )  # fmt: skip
        store = fields.add_to(store)
        splits = self.limited(self._splits(len(store)))
        _LOG.info("%s: %d graphs", source, len(store))
        spec = self._spec(store, fields, splits, elements, source=source, digest=digest)
        return LoadedData(store, splits, spec)

    def _splits(self, count: int) -> dict[str, Tensor]:
        if self.split_file is not None:
            return read_split(self.split_file)
        sizes = dict(zip(PARTS, self.fractions, strict=True))
        return random_split(count, sizes, seed=self.split_seed)

    def _spec(
        self, store: GraphStore, fields: TargetFields, splits: Mapping[str, Tensor],
        elements: tuple[int, ...], *, source: str, digest: str,
    ) -> GeometricSpec:  # fmt: skip
        shares = "/".join(f"{share:g}" for share in self.fractions)
        split = f"random {shares}, seed {self.split_seed}"
        record = DataRecord(
            dataset="graphs", target=", ".join(fields.fields), source=source, source_hash=digest,
            split=split if self.split_file is None else f"given by {self.split_file.name}",
            split_hash=split_hash(splits),
            sizes={part: len(index) for part, index in splits.items()},
        )  # fmt: skip
        has_vectors = "vec" in store.node
        return GeometricSpec(
            level=fields.targets.level, dim=store.node["pos"].shape[1],
            in_channels=store.node["x"].shape[1],
            in_vectors=store.node["vec"].shape[1] if has_vectors else 0,
            out_channels=fields.targets.out_channels,
            out_vectors=len(fields.targets.vectors), elements=elements,
            vector_fields=(
                "pos", *(["vec"] if has_vectors else []),
                *vector_fields(fields, {**store.node, **store.graph}),
            ),
            target=fields.fields[0],
            units={"pos": "length", **target_units(fields, {**store.node, **store.graph})},
            statistics=statistics_of(fields, store, splits["train"], (), "none"), record=record,
        )  # fmt: skip


def _inputs(given: GraphStore, targets: Sequence[str]) -> tuple[GraphStore, tuple[int, ...]]:
    """The fields that models read, and the elements of the columns of ``x``."""
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
    store = GraphStore(
        given.num_nodes, node=node, edge_index=given.edge_index, num_edges=given.num_edges
    )
    warn_of_edge_features(sorted(given.edge))
    others = {*given.node, *given.graph} - {*node, "z", *targets}
    if others:
        _LOG.info("fields that are not read: %s", ", ".join(sorted(others)))
    return store, elements


def _one_hot(z: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    known = torch.unique(z)
    if z.ndim != 1 or z.is_floating_point() or len(known) > _MOST_ELEMENTS or int(known[0]) < 1:
        raise ValueError(f"z must hold one atomic number per node, got shape {tuple(z.shape)}")
    return (z[:, None] == known).float(), tuple(known.tolist())


def _hash(store: GraphStore) -> str:
    digest = hashlib.sha256(store.num_nodes.numpy().tobytes())
    for fields in store.fields.values():
        for name in sorted(fields):
            digest.update(name.encode() + fields[name].contiguous().numpy().tobytes())
    if store.edge_index is not None:
        digest.update(store.edge_index.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
