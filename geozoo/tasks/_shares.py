"""Weights of batches that share one optimizer step: data parallelism and accumulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from geozoo.data import GraphStore, ImageStore
from geozoo.data.loader import Store
from geozoo.data.sampler import EpochBatchSampler


class Share(NamedTuple):
    """The weights of one batch of one process in its optimizer step.

    Attributes:
        weights: factor of each loss term, by name. Lightning then takes the mean over processes
            and accumulated batches.
        logged: factor that turns a weighted term into its logged value.
        num_graphs: number of graphs of this batch over all processes.
    """

    weights: dict[str, float]
    logged: float
    num_graphs: int


class BatchShares:
    """Weights that make a step over several batches equal to a step over one large batch.

    A loss is a mean. The mean over an optimizer step is the sum of the means of its batches, each
    weighted by its fraction of the counted items: graphs, nodes or observed readings. The batch
    order of an epoch is known on the CPU, so this needs no communication between processes and no
    synchronisation with a device.

    Args:
        loader: the training batches, with a ``store`` and a sampler of `geozoo.data`.
        counts: for each loss term, the count of each sample of the store ``[S]``.

    Raises:
        ValueError: If the length of the counts differs from that of the store.
    """

    def __init__(self, loader: Any, counts: Mapping[str, Tensor]) -> None:
        self.loader, self.sampler = loader, loader.sampler
        self.counts = {name: count.cpu().double().numpy() for name, count in counts.items()}
        for name, count in self.counts.items():
            if count.shape != (len(loader.store),):
                raise ValueError(
                    f"loss_counts: {name!r} must have shape ({len(loader.store)},), got "
                    f"{tuple(count.shape)}"
                )
        self._epoch: int | None = None
        self._sizes = np.zeros(0, dtype=np.int64)
        self._own: dict[str, np.ndarray] = {}
        self._all: dict[str, np.ndarray] = {}

    def of(self, batch_idx: int, num_graphs: int, *, num_batches: int, accumulated: int) -> Share:
        """The share of a batch in its optimizer step.

        Args:
            batch_idx: index of the batch in the epoch.
            num_graphs: number of its graphs in this process.
            num_batches: number of batches used in the epoch.
            accumulated: batches per step; the last step of an epoch may have fewer.

        Raises:
            ValueError: If the size of the batch differs from the sampler's.
        """
        self._plan()
        first = batch_idx - batch_idx % accumulated
        step = slice(first, min(first + accumulated, num_batches))
        ranks, rank = self.sampler.num_replicas, self.sampler.rank
        total = int(self._sizes[batch_idx])
        if num_graphs != len(range(rank, total, ranks)):
            raise ValueError(
                f"batch {batch_idx} must have {len(range(rank, total, ranks))} graphs, as given by "
                f"its sampler, got {num_graphs}: train with the loaders of the data module"
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
    """The loader; raises ValueError if its batch order is not known in advance."""
    if isinstance(getattr(loader, "sampler", None), EpochBatchSampler) and hasattr(loader, "store"):
        return loader
    raise ValueError(
        "trainer.devices and trainer.accumulate_grad_batches must be 1 if the batch order is not "
        f"known in advance, got a {type(loader).__name__}: train with a GraphDataModule"
    )


def graphs_of(store: Store) -> GraphStore:
    """The store, if it is one of graphs; TypeError for another one."""
    if not isinstance(store, GraphStore):
        raise TypeError(f"the data must be graphs in a GraphStore, got a {type(store).__name__}")
    return store


def graph_field(store: Store, name: str) -> Tensor:
    """A field of the graphs of a store ``[S, ...]``; TypeError for a store of another kind."""
    if not isinstance(store, GraphStore | ImageStore):
        raise TypeError(f"the data must be graphs or images, got a {type(store).__name__}")
    return store.graph[name]


def nodes_of(store: Store) -> Tensor:
    """Number of nodes of each graph of a store ``[S]``; raises ValueError if it is unknown."""
    counts = getattr(store, "num_nodes", None)
    if not isinstance(counts, Tensor):
        raise ValueError(
            "trainer.devices and trainer.accumulate_grad_batches must be 1 for a loss per node "
            f"with a {type(store).__name__}, which has no num_nodes"
        )
    return counts
