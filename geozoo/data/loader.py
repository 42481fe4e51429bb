"""Batches from a store through torch's DataLoader."""

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
#: Part of the free device memory that a store may take; the rest is for model and activations.
_MEMORY_SHARE = 0.25


class Store(Protocol):
    """Samples that are gathered into a batch by their positions: graphs, or windows of a series.

    A batch has ``index`` (positions ``[G]``), ``num_graphs`` (``G``), ``to`` and ``pin_memory``.
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
        """The samples at some positions as one batch."""

    def to(self, device: torch.device) -> Self:
        """The store on another device."""


@dataclass(frozen=True)
class LoaderOptions:
    """How batches are made.

    Attributes:
        batch_size: graphs per training batch and rank.
        eval_batch_size: graphs per validation or test batch; ``None`` for ``batch_size``.
        resident: ``"device"`` keeps the whole data set on the training device and gathers there;
            ``"loader"`` gathers in main memory, in worker processes if wanted; ``"auto"`` takes
            the device when the data set needs at most a quarter of its free memory.
        num_workers: worker processes of ``"loader"``.
        seed: seed of the shuffle order, which depends on it and on the epoch alone.

    Raises:
        ValueError: for sizes below 1, negative workers or another residence.
    """

    batch_size: int
    eval_batch_size: int | None = None
    resident: Resident = "auto"
    num_workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes that make no batches."""
        for name, least in (("batch_size", 1), ("num_workers", 0), ("seed", 0)):
            _check_whole(name, getattr(self, name), least)
        if self.eval_batch_size is not None:
            _check_whole("eval_batch_size", self.eval_batch_size, 1)
        if self.resident not in get_args(Resident):
            raise ValueError(f"resident must be one of {get_args(Resident)}, got {self.resident!r}")


class GraphDataset(Dataset):
    """A store that is indexed by a whole batch of positions.

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
    """A torch ``DataLoader`` that can continue in the middle of an epoch.

    Lightning saves and restores :meth:`state_dict` with its checkpoints. Iteration starts when
    the first batch is asked for, because Lightning makes the iterator of a resumed run before it
    says which epoch it is.

    Args:
        store: the graphs.
        sampler: which of them, in which order.
        num_workers: worker processes; 0 gathers in this one.
        shuffle: False; Lightning names it where it makes a loader anew for prediction.
        batch_sampler: None; likewise. The sampler already gives whole batches.

    Raises:
        ValueError: for a ``shuffle`` or a ``batch_sampler``.
    """

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
            raise ValueError("shuffle and batch_sampler are the sampler's business: leave them out")
        on_cpu = store.device.type == "cpu"
        # Lightning makes loaders anew for prediction: from the positional arguments, and the others
        # by name, of which it sets the sampler.
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
        """Epoch and number of batches handed out."""
        return self.sampler.state_dict(self._batches_done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self.sampler.load_state_dict(state)
        self._batches_done = self.sampler.start


def place_store(store: Store, device: torch.device, resident: Resident) -> Store:
    """The store on the device that shall gather from it, see :class:`LoaderOptions`."""
    if device.type == "cpu" or resident == "loader":
        return store
    if resident == "auto":
        free = _free_memory(device)
        if free is None or store.nbytes > _MEMORY_SHARE * free:
            _LOG.info(
                "data stays in main memory: %d bytes, free on %s: %s", store.nbytes, device, free
            )
            return store
    return store.to(device)


def _free_memory(device: torch.device) -> int | None:
    """Free bytes of a device; ``None`` where it cannot be asked."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
