"""A Lightning data module over a store of graphs or windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from lightning import LightningDataModule
from torch import Tensor, nn

from geozoo.contracts import supports_cells
from geozoo.data._computed_fields import computed_fields
from geozoo.data.batch import GraphBatch
from geozoo.data.loader import GraphLoader, LoaderOptions, Store, place_store
from geozoo.data.neighbor_table import gains_from_table
from geozoo.data.sampler import EpochBatchSampler
from geozoo.data.spec import DataSpec, GeometricSpec
from geozoo.data.splits import Split, check_split, with_fewer
from geozoo.data.store import GraphStore
from geozoo.files.progress import progress_bar

_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class LoadedData:
    """What the ``load`` method of a dataset returns to :class:`GraphDataModule`.

    Attributes:
        store: all graphs, or all windows of a time series on a graph.
        splits: indices into the store of ``train``, ``val`` and ``test``.
        spec: the data specification.
        test_parts: indices of named parts of the test split, such as its files; empty without.
    """

    store: Store
    splits: Mapping[str, Int[Tensor, " part"]]
    spec: DataSpec
    test_parts: Mapping[str, Int[Tensor, " part"]] = field(default_factory=dict)


class GraphDataModule(LightningDataModule):
    """Loaders for the three splits of an in-memory dataset.

    A dataset derives from this class and implements :meth:`load`; it downloads or generates its
    files in ``prepare_data``, which runs in one process per node.

    Args:
        loader: batch sizes, shuffling and device placement.
    """

    #: Spatial dimension, if known before the data are read; None otherwise.
    dim: ClassVar[int | None] = None
    #: Task that the dataset is for, ``"regression"``; needed only by classes that a package
    #: registers as an entry point of ``geozoo.datasets``.
    standard_task: ClassVar[str | None] = None

    def __init__(self, loader: LoaderOptions) -> None:
        super().__init__()
        if not isinstance(loader, LoaderOptions):
            raise TypeError(f"loader must be a LoaderOptions, got {type(loader).__name__}")
        self.loader = loader
        self._data: LoadedData | None = None
        self._placed: dict[torch.device, Store] = {}
        self._cutoff: float | None = None
        self._searched: GraphStore | None = None

    #: Whether the samples are windows of a time series, see `geozoo.data.splits.with_fewer`.
    is_series: ClassVar[bool] = False

    @property
    def augmentation_conflict(self) -> str | None:
        """Why a task must not rotate training graphs at random; None if it may."""
        return None

    @abstractmethod
    def load(self) -> LoadedData:
        """Read the prepared files; called once.

        The splits pass through `limited` before statistics are computed from them.
        """

    def limited(self, splits: Split) -> dict[str, Int[Tensor, " part"]]:
        """The splits with only ``loader.num_train`` training samples, if that is set."""
        options = self.loader
        return with_fewer(
            splits, options.num_train, seed=options.subset_seed, is_series=self.is_series
        )

    def setup(self, stage: str | None = None) -> None:
        """Load the data on the first call.

        Args:
            stage: passed by Lightning; all splits are always loaded.

        Raises:
            ValueError: If the splits overlap or contain an index outside the dataset.
        """
        if self._data is None:
            data = self.load()
            missing = [part for part in _PARTS if part not in data.splits]
            if missing:
                raise ValueError(f"splits must have the keys {_PARTS}; missing: {missing}")
            check_split(data.splits, len(data.store))
            if self.loader.num_train not in (None, len(data.splits["train"])):
                raise ValueError(
                    f"loader.num_train: {type(self).__name__}.load does not support it; it must "
                    "pass its splits through self.limited"
                )
            self._data = _with_has_edges(data)

    @property
    def data(self) -> LoadedData:
        """Store, splits and specification; prepared and loaded on first access."""
        if self._data is None:
            self.prepare_data()
            self.setup()
        assert self._data is not None
        return self._data

    @property
    def spec(self) -> DataSpec:
        """The data specification for models and tasks."""
        return self.data.spec

    @property
    def splits(self) -> Mapping[str, Int[Tensor, " part"]]:
        """Indices into the store of the graphs of each split."""
        return self.data.splits

    @property
    def test_parts(self) -> Mapping[str, Int[Tensor, " part"]]:
        """Indices into the store of named parts of the test split; empty if it has none."""
        return self.data.test_parts

    @property
    def store(self) -> Store:
        """All graphs, in main memory."""
        return self.data.store

    def model_tensors(self) -> dict[str, Callable[[], Tensor]]:
        """Lazily created tensors that a model can request by constructor argument name.

        An example is the sensor graph that all windows share; datasets whose graphs have their
        own edges provide none.
        """
        return {}

    def serve(self, model: nn.Module) -> None:
        """Adapt the batches to a model before loaders are created.

        For a model with a cutoff (attribute ``radius``), the neighbours in periodic or large
        structures are found once, before training, instead of in every step.

        Args:
            model: the model.
        """
        self._cutoff = getattr(model, "radius", None) if supports_cells(model) else None
        self._placed.clear()

    def add_fields(
        self, description: str, compute: Callable[[GraphBatch], dict[str, dict[str, Tensor]]]
    ) -> None:
        """Add fields to all graphs, computed once, for batches of loaders created afterwards.

        Args:
            description: what is computed, for the progress bar.
            compute: new fields of some graphs, ``{"node": {...}, "graph": {...}}``.

        Raises:
            TypeError: If the data are not graphs.
        """
        store = self.store
        if not isinstance(store, GraphStore):
            raise TypeError(f"fields can be added to graphs only, got {type(store).__name__}")
        with progress_bar(description, len(store)) as advance:
            fields = computed_fields(store, compute, advance)
        self._data = replace(self.data, store=store.with_fields(**fields))
        self._searched = None
        self._placed.clear()

    def train_dataloader(self) -> GraphLoader:
        """Shuffled batches of the training split."""
        return self._loader("train")

    def val_dataloader(self) -> GraphLoader:
        """The validation split in order."""
        return self._loader("val")

    def test_dataloader(self) -> GraphLoader:
        """The test split in order."""
        return self._loader("test")

    def predict_dataloader(self) -> GraphLoader:
        """The test split, for ``trainer.predict``."""
        return self.test_dataloader()

    def calibration_batch(self, num_processes: int = 1) -> Any:
        """The first global batch of the first epoch, over all processes; the same on every rank.

        Args:
            num_processes: number of training processes.
        """
        size = self.loader.batch_size * num_processes
        sampler = EpochBatchSampler(self.splits["train"], size, shuffle=True, seed=self.loader.seed)
        return self.store.gather(next(iter(sampler)))

    def _loader(self, part: str) -> GraphLoader:
        options, trainer = self.loader, self.trainer
        training = part == "train"
        sampler = EpochBatchSampler(
            self.splits[part],
            options.batch_size if training else options.eval_batch_size or options.batch_size,
            shuffle=training,
            seed=options.seed,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
        )
        device = torch.device("cpu") if trainer is None else trainer.strategy.root_device
        if part != "test":  # of which every batch is read once
            self._find_neighbors()
        store = self._store_on(device)
        is_resident = store.device == device and options.resident != "loader"
        num_workers = 0 if is_resident else options.num_workers
        return GraphLoader(store, sampler=sampler, num_workers=num_workers)

    def _store_on(self, device: torch.device) -> Store:
        if device not in self._placed:
            store = self.store if self._searched is None else self._searched
            self._placed[device] = place_store(store, device, self.loader.resident)
        return self._placed[device]

    def _find_neighbors(self) -> None:
        """Find the neighbours of all graphs within the cutoff of the served model."""
        store, radius = self.store, self._cutoff
        if radius is None or not isinstance(store, GraphStore):
            return
        if not gains_from_table(
            store.num_nodes, is_periodic="cell" in store.graph,
            has_edges=store.edge_index is not None,
        ):  # fmt: skip
            return
        known = None if self._searched is None else self._searched.neighbors
        if known is not None and known.radius == radius:
            return
        with progress_bar(f"Finding neighbours within {radius:g}", len(store)) as advance:
            self._searched = store.with_neighbors(radius, progress=advance)
        self._placed.clear()


def _with_has_edges(data: LoadedData) -> LoadedData:
    """Record in the specification whether the graphs have their own edges."""
    if not isinstance(data.spec, GeometricSpec) or not isinstance(data.store, GraphStore):
        return data
    has_edges = data.store.edge_index is not None
    return replace(data, spec=replace(data.spec, has_edges=has_edges))
