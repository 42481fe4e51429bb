"""A Lightning data module over a store of graphs or of windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from lightning import LightningDataModule
from torch import Tensor, nn

from geozoo.data.loader import GraphLoader, LoaderOptions, Store, place_store
from geozoo.data.sampler import EpochBatchSampler
from geozoo.data.spec import DataSpec, GeometricSpec
from geozoo.data.splits import check_split
from geozoo.data.store import GraphStore

_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class LoadedData:
    """What a data set hands to :class:`GraphDataModule`.

    Attributes:
        store: all graphs, or all windows of a series on a graph.
        splits: positions in the store of ``train``, ``val`` and ``test``.
        spec: the description of the data.
    """

    store: Store
    splits: Mapping[str, Int[Tensor, " part"]]
    spec: DataSpec


class GraphDataModule(LightningDataModule):
    """Loaders for the three parts of a data set that fits into memory.

    A data set derives from this class and implements :meth:`load`; it downloads or generates its
    files in ``prepare_data``, which runs on one process per machine.

    Args:
        loader: batch sizes, order and residence.
    """

    #: Dimension of space, where it is known before the data are read; None: only they tell.
    dim: ClassVar[int | None] = None

    def __init__(self, loader: LoaderOptions) -> None:
        super().__init__()
        if not isinstance(loader, LoaderOptions):
            raise TypeError(f"loader must be a LoaderOptions, got {type(loader).__name__}")
        self.loader = loader
        self._data: LoadedData | None = None
        self._placed: dict[torch.device, Store] = {}

    @abstractmethod
    def load(self) -> LoadedData:
        """Read the prepared files; called once."""

    def setup(self, stage: str | None = None) -> None:
        """Load the data at the first call.

        Args:
            stage: given by Lightning; all parts are loaded in any case.

        Raises:
            ValueError: when the parts of the split overlap or leave the data set.
        """
        if self._data is None:
            data = self.load()
            missing = [part for part in _PARTS if part not in data.splits]
            if missing:
                raise ValueError(f"splits must have the parts {_PARTS}; {missing} are missing")
            check_split(data.splits, len(data.store))
            self._data = _with_edges_told(data)

    @property
    def data(self) -> LoadedData:
        """Store, split and specification; prepared and loaded when first asked for."""
        if self._data is None:
            self.prepare_data()
            self.setup()
        assert self._data is not None
        return self._data

    @property
    def spec(self) -> DataSpec:
        """What a model and a task need to know of the data."""
        return self.data.spec

    @property
    def splits(self) -> Mapping[str, Int[Tensor, " part"]]:
        """Positions of the graphs of each part in the store."""
        return self.data.splits

    @property
    def store(self) -> Store:
        """All graphs, in main memory."""
        return self.data.store

    def model_tensors(self) -> dict[str, Callable[[], Tensor]]:
        """Tensors that a model may ask for by naming them in its constructor, made when asked for.

        A graph that all samples share is one; graphs that each have their own edges have none.
        """
        return {}

    def serve(self, model: nn.Module) -> None:
        """Learn what a model asks of its batches, before loaders are made; here nothing."""

    def train_dataloader(self) -> GraphLoader:
        """Shuffled batches of the training part."""
        return self._loader("train")

    def val_dataloader(self) -> GraphLoader:
        """The validation part in order."""
        return self._loader("val")

    def test_dataloader(self) -> GraphLoader:
        """The test part in order."""
        return self._loader("test")

    def predict_dataloader(self) -> GraphLoader:
        """The test part: what ``trainer.predict`` runs over."""
        return self.test_dataloader()

    def calibration_batch(self, num_processes: int = 1) -> Any:
        """The first batch of the first epoch of all processes together; the same on every rank.

        Args:
            num_processes: how many train.
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
        store = self._store_on(device)
        is_resident = store.device == device and options.resident != "loader"
        num_workers = 0 if is_resident else options.num_workers
        return GraphLoader(store, sampler=sampler, num_workers=num_workers)

    def _store_on(self, device: torch.device) -> Store:
        if device not in self._placed:
            self._placed[device] = place_store(self.store, device, self.loader.resident)
        return self._placed[device]


def _with_edges_told(data: LoadedData) -> LoadedData:
    """The data with a description that says whether graphs have edges of their own."""
    if not isinstance(data.spec, GeometricSpec) or not isinstance(data.store, GraphStore):
        return data
    has_edges = data.store.edge_index is not None
    return replace(data, spec=replace(data.spec, has_edges=has_edges))
