"""The order in which a training run sees its graphs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data.distributed import DistributedSampler


class EpochBatchSampler(DistributedSampler):
    """Batches of graph positions; the order is a function of seed and epoch alone.

    The permutation of an epoch is cut into global batches of ``batch_size * num_replicas`` graphs
    and every rank takes its share of each. Over all ranks an epoch holds each graph exactly once;
    nothing is dropped or repeated, and all ranks have the same number of batches. (A last
    remainder with fewer graphs than ranks joins the batch before it.) It derives from torch's
    ``DistributedSampler`` so that Lightning takes it for sharded and calls :meth:`set_epoch`.

    Args:
        graphs: positions of the graphs in the store, such as one part of a split.
        batch_size: graphs per batch and rank.
        shuffle: permute the graphs anew in each epoch.
        seed: seed of the permutation; not torch's global one.
        num_replicas: number of ranks.
        rank: number of this rank.

    Attributes:
        start: batches that the next iteration leaves out, after :meth:`load_state_dict`.

    Raises:
        ValueError: for a batch size below 1, a rank outside the replicas, or, when shuffling,
            fewer graphs than ranks (a rank without a batch would stop all others).

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
            raise ValueError(f"rank must be one of 0..{num_replicas - 1}, got {rank!r}")
        if shuffle and len(graphs) < num_replicas:
            raise ValueError(
                f"graphs: {len(graphs)} graphs to train on are fewer than the {num_replicas} ranks"
            )
        super().__init__(graphs, num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed)
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
        """The batches of the current epoch over all ranks; ``[rank::num_replicas]`` is a rank's."""
        order, bounds = self._order(), self._bounds()
        return [order[low:high] for low, high in zip(bounds[:-1], bounds[1:], strict=True)]

    def __len__(self) -> int:
        """Batches of this rank in a whole epoch."""
        bounds = self._bounds()
        if not self.shuffle and len(self.graphs) < self.num_replicas:
            return int(self.rank < len(self.graphs))
        return len(bounds) - 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; another one than before starts with its first batch."""
        if epoch != self.epoch:
            self.start = 0
        self.epoch = epoch

    def state_dict(self, batches_done: int) -> dict[str, int]:
        """Where a run stands that has used ``batches_done`` batches of this epoch."""
        return {"epoch": self.epoch, "batches_done": batches_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue behind the batches that the state counts."""
        self.epoch, self.start = state["epoch"], state["batches_done"]
        if self.start >= len(self):
            self.epoch, self.start = self.epoch + 1, 0

    def _order(self) -> np.ndarray:
        if not self.shuffle:
            return self.graphs
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.graphs)

    def _bounds(self) -> list[int]:
        """Where the global batches begin, and where the last one ends."""
        total, step = len(self.graphs), self.batch_size * self.num_replicas
        starts = list(range(0, total, step))
        if len(starts) > 1 and total - starts[-1] < self.num_replicas:
            starts.pop()
        return [*starts, total]
