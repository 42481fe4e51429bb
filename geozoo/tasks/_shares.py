"""How much a batch counts where several make one step: of processes, or accumulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from geozoo.data import GraphStore
from geozoo.data.loader import Store
from geozoo.data.sampler import EpochBatchSampler


class Share(NamedTuple):
    """The weights of one batch of one process in its step.

    Attributes:
        weights: factor of every part of the loss, by name. Lightning then takes the mean over
            processes and accumulated batches.
        logged: factor from a weighted part to its value in the curve.
        num_graphs: graphs of this batch in all processes.
    """

    weights: dict[str, float]
    logged: float
    num_graphs: int


class BatchShares:
    """Weights that make the steps of several batches exactly those of one batch.

    A loss is a mean. The mean over all that one step sees is the sum of the batches' means, each
    weighted by its share of what is counted: graphs, nodes, observed readings. The order of an
    epoch is known in main memory, so no process asks another one, and no device is waited for.

    Args:
        loader: the training batches, with a ``store`` and a sampler of `geozoo.data`.
        counts: of every part of the loss, how much each sample of the store counts, ``[S]``.

    Raises:
        ValueError: for counts of another length than the store's.
    """

    def __init__(self, loader: Any, counts: Mapping[str, Tensor]) -> None:
        self.loader, self.sampler = loader, loader.sampler
        self.counts = {name: count.cpu().double().numpy() for name, count in counts.items()}
        for name, count in self.counts.items():
            if count.shape != (len(loader.store),):
                raise ValueError(
                    f"loss_counts: {name!r} must have the shape ({len(loader.store)},), got "
                    f"{tuple(count.shape)}"
                )
        self._epoch: int | None = None
        self._sizes = np.zeros(0, dtype=np.int64)
        self._own: dict[str, np.ndarray] = {}
        self._all: dict[str, np.ndarray] = {}

    def of(self, batch_idx: int, num_graphs: int, *, num_batches: int, accumulated: int) -> Share:
        """The share of a batch in its step.

        Args:
            batch_idx: its number in the epoch.
            num_graphs: its graphs in this process.
            num_batches: batches of the epoch that are used.
            accumulated: batches to a step; the last step of an epoch may have fewer.

        Raises:
            ValueError: when the batch is not the one that the sampler plans.
        """
        self._plan()
        first = batch_idx - batch_idx % accumulated
        step = slice(first, min(first + accumulated, num_batches))
        ranks, rank = self.sampler.num_replicas, self.sampler.rank
        total = int(self._sizes[batch_idx])
        if num_graphs != len(range(rank, total, ranks)):
            raise ValueError(
                f"batch {batch_idx} has {num_graphs} graphs, its sampler plans "
                f"{len(range(rank, total, ranks))}: train with the loaders of the data module"
            )
        weights = {}
        for name, own in self._own.items():
            counted = float(self._all[name][step].sum())
            share = float(own[batch_idx]) / counted if counted else 0.0
            weights[name] = share * accumulated * ranks
        in_step = int(self._sizes[step].sum())
        return Share(weights, in_step / (total * accumulated), total)

    def _plan(self) -> None:
        if self._epoch == self.sampler.epoch:
            return
        batches = self.sampler.global_batches()
        ranks, rank = self.sampler.num_replicas, self.sampler.rank
        self._sizes = np.array([len(batch) for batch in batches])
        for name, count in self.counts.items():
            self._all[name] = np.array([count[batch].sum() for batch in batches])
            self._own[name] = np.array([count[batch[rank::ranks]].sum() for batch in batches])
        self._epoch = self.sampler.epoch


def checked_loader(loader: Any) -> Any:
    """The loader; ValueError for one whose order is not known beforehand."""
    if isinstance(getattr(loader, "sampler", None), EpochBatchSampler) and hasattr(loader, "store"):
        return loader
    raise ValueError(
        "trainer.devices and trainer.accumulate_grad_batches must be 1 with batches whose order is "
        f"not known beforehand, got a {type(loader).__name__}: train with a GraphDataModule"
    )


def graphs_of(store: Store) -> GraphStore:
    """The store, if it is one of graphs; TypeError for another one."""
    if not isinstance(store, GraphStore):
        raise TypeError(f"the data must be graphs in a GraphStore, got a {type(store).__name__}")
    return store


def nodes_of(store: Store) -> Tensor:
    """Number of nodes of every graph of a store; ValueError for a store that does not know it."""
    counts = getattr(store, "num_nodes", None)
    if not isinstance(counts, Tensor):
        raise ValueError(
            "trainer.devices and trainer.accumulate_grad_batches must be 1 with a loss per node "
            f"and a {type(store).__name__}, which has no num_nodes"
        )
    return counts
