"""Resumable, distributed batch sampling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import TensorDataset
from torch.utils.data.distributed import DistributedSampler


class EpochBatchSampler(DistributedSampler):
    """Batches of graph indices whose order depends only on seed and epoch.

    The permutation of an epoch is divided into global batches of ``batch_size * num_replicas``
    graphs, and every rank takes its share of each. Over all ranks an epoch visits each graph
    exactly once; nothing is dropped or repeated, and all ranks have the same number of batches. (A
    remainder with fewer graphs than ranks is merged into the last batch.) It derives from PyTorch's
    ``DistributedSampler`` so that Lightning does not shard it again and calls :meth:`set_epoch`.

    Args:
        graphs: indices into the store, such as those of one split.
        batch_size: graphs per batch and rank.
        shuffle: draw a new permutation in each epoch.
        seed: seed of the permutation, independent of PyTorch's global seed.
        num_replicas: number of ranks.
        rank: index of this rank.

    Attributes:
        start: number of batches that the next iteration skips, after :meth:`load_state_dict`.

    Raises:
        ValueError: If the batch size is below 1, the rank is out of range, or, when shuffling,
            there are fewer graphs than ranks (a rank without a batch would block all others).

    >>> sampler = EpochBatchSampler(torch.arange(5), 2, shuffle=False)
    >>> [batch.tolist() for batch in sampler]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        graphs: Int[Tensor, " S"],
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"rank must be in 0..{num_replicas - 1}, got {rank!r}")
        if shuffle and len(graphs) < num_replicas:
            raise ValueError(
                f"graphs: training needs at least one graph per rank, got {len(graphs)} graphs for "
                f"{num_replicas} ranks"
            )
        dataset = TensorDataset(graphs)
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed)
        self.graphs = np.asarray(graphs.cpu())
        self.batch_size = batch_size
        self.start = 0

    def __iter__(self) -> Iterator[Int[Tensor, " G"]]:
        """The batches of this rank in the current epoch."""
        start, self.start = self.start, 0
        for batch in self.global_batches()[start:]:
            share = batch[self.rank :: self.num_replicas]
            if len(share):
                yield torch.from_numpy(share.copy())

    def global_batches(self) -> list[np.ndarray]:
        """Global batches of the current epoch; a rank takes ``[rank::num_replicas]`` of each."""
        order, bounds = self._order(), self._bounds()
        return [order[low:high] for low, high in zip(bounds[:-1], bounds[1:], strict=True)]

    def __len__(self) -> int:
        """Number of batches of this rank in a full epoch."""
        bounds = self._bounds()
        if not self.shuffle and len(self.graphs) < self.num_replicas:
            return int(self.rank < len(self.graphs))
        return len(bounds) - 1

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; a new epoch starts with its first batch."""
        if epoch != self.epoch:
            self.start = 0
        self.epoch = epoch

    def state_dict(self, batches_done: int) -> dict[str, int]:
        """State of a run that has consumed ``batches_done`` batches of this epoch."""
        return {"epoch": self.epoch, "batches_done": batches_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume after the batches that the state counts."""
        self.epoch, self.start = state["epoch"], state["batches_done"]
        if self.start >= len(self):
            self.epoch, self.start = self.epoch + 1, 0

    def _order(self) -> np.ndarray:
        if not self.shuffle:
            return self.graphs
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.graphs)

    def _bounds(self) -> list[int]:
        """Start of each global batch, and end of the last one."""
        total, step = len(self.graphs), self.batch_size * self.num_replicas
        starts = list(range(0, total, step))
        if len(starts) > 1 and total - starts[-1] < self.num_replicas:
            starts.pop()
        return [*starts, total]
