"""Batches from a store through PyTorch's DataLoader."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from geozoo.data.sampler import EpochBatchSampler

_LOG = logging.getLogger(__name__)
Resident = Literal["auto", "device", "loader"]
#: Fraction of free device memory that a store may use; the rest is for model and activations.
_MEMORY_SHARE = 0.25


class Store(Protocol):
    """Samples (graphs, or windows of a time series) that are gathered into batches by index.

    A batch has ``index`` (indices ``[G]``), ``num_graphs`` (``G``), ``to`` and ``pin_memory``.
    """

    @property
    def device(self) -> torch.device:
        """Device of the data."""

    @property
    def nbytes(self) -> int:
        """Memory of the data in bytes."""

    def __len__(self) -> int:
        """Number of samples."""

    def gather(self, index: Int[Tensor, " G"]) -> Any:
        """The samples at some indices as one batch."""

    def to(self, device: torch.device) -> Self:
        """The store on another device."""


@dataclass(frozen=True)
class LoaderOptions:
    """Batch sizes, shuffling, and where the data reside.

    Attributes:
        batch_size: graphs per training batch and rank.
        eval_batch_size: graphs per validation or test batch; ``None``: same as ``batch_size``.
        resident: ``"device"`` keeps the whole dataset on the training device and gathers there;
            ``"loader"`` gathers in host memory, optionally in worker processes; ``"auto"`` uses
            the device if the dataset fits in a quarter of its free memory.
        num_workers: worker processes for ``"loader"``.
        seed: shuffling seed; the order depends only on the seed and the epoch.
        num_train: number of training samples to use, see `geozoo.data.splits.with_fewer`; None:
            all. Statistics come from these; validation and test splits are unchanged.
        subset_seed: seed of the choice of these samples.

    Raises:
        ValueError: If a size is below 1, ``num_workers`` is negative, or ``resident`` is unknown.
    """

    batch_size: int
    eval_batch_size: int | None = None
    resident: Resident = "auto"
    num_workers: int = 0
    seed: int = 0
    num_train: int | None = None
    subset_seed: int = 0

    def __post_init__(self) -> None:
        """Validate the options."""
        for name, least in (
            ("batch_size", 1), ("num_workers", 0), ("seed", 0), ("subset_seed", 0)
        ):  # fmt: skip
            _check_whole(name, getattr(self, name), least)
        for name in ("eval_batch_size", "num_train"):
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), 1)
        if self.resident not in get_args(Resident):
            raise ValueError(f"resident must be one of {get_args(Resident)}, got {self.resident!r}")


class GraphDataset(Dataset):
    """A map-style dataset whose index is a whole batch of positions.

    Args:
        store: the graphs.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getitem__(self, index: Int[Tensor, " G"]) -> Any:
        """The graphs at these positions."""
        return self.store.gather(index)

    def __len__(self) -> int:
        """Number of graphs."""
        return len(self.store)


class GraphLoader(DataLoader):
    """A PyTorch ``DataLoader`` that can resume in the middle of an epoch.

    Lightning saves and restores :meth:`state_dict` with its checkpoints. Iteration starts lazily
    with the first batch, because Lightning creates the iterator of a resumed run before it sets
    the epoch.

    Args:
        store: the graphs.
        sampler: yields the indices of each batch.
        num_workers: worker processes; 0 gathers in the main process.
        shuffle: must be False; accepted because Lightning passes it when it re-creates a loader
            for prediction.
        batch_sampler: must be None, for the same reason; the sampler already yields batches.

    Raises:
        ValueError: If ``shuffle`` or ``batch_sampler`` is set.
    """

    sampler: EpochBatchSampler

    def __init__(
        self,
        store: Store,
        *,
        sampler: EpochBatchSampler,
        num_workers: int = 0,
        shuffle: bool = False,
        batch_sampler: None = None,
    ) -> None:
        if shuffle or batch_sampler is not None:
            raise ValueError("shuffle and batch_sampler must not be set: use the sampler instead")
        on_cpu = store.device.type == "cpu"
        # Lightning re-creates loaders for prediction: it passes the positional arguments again and
        # the others by name, with its own sampler.
        self.store = store
        self._batches_done = 0
        super().__init__(
            GraphDataset(store),
            batch_size=None,
            sampler=sampler,
            num_workers=num_workers if on_cpu else 0,
            pin_memory=num_workers > 0 and on_cpu and torch.cuda.is_available(),
            persistent_workers=False,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The batches of the sampler's epoch."""
        self._batches_done = self.sampler.start
        for batch in super().__iter__():
            self._batches_done += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of batches consumed."""
        return self.sampler.state_dict(self._batches_done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a :meth:`state_dict`."""
        self.sampler.load_state_dict(state)
        self._batches_done = self.sampler.start


def place_store(store: Store, device: torch.device, resident: Resident) -> Store:
    """The store on the device that gathers from it, see :class:`LoaderOptions`."""
    if device.type == "cpu" or resident == "loader":
        return store
    if resident == "auto":
        free = _free_memory(device)
        if free is None or store.nbytes > _MEMORY_SHARE * free:
            _LOG.info(
                "data stay in host memory: %d bytes, free on %s: %s", store.nbytes, device, free
            )
            return store
    return store.to(device)


def _free_memory(device: torch.device) -> int | None:
    """Free memory of a device in bytes; ``None`` if it cannot be queried."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
