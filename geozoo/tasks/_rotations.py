"""Random rotations that depend on seeds and indices only, not on a random state."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.geometry import random_rotations

#: Number of distinct rotations; graph i of the store uses rotation i modulo this.
_TABLE_SIZE, _TRAINING_TABLE_SIZE = 1024, 1 << 14
_TRAINING, _TEST = 0, 1


def training_rotations(batch: GraphBatch, dim: int, *, seed: int, epoch: int) -> Tensor:
    """One rotation per graph that depends only on the epoch and the graph's index in the store.

    A resumed run therefore has the same augmentation as an uninterrupted one, and data-parallel
    training the same as a single process.

    Args:
        batch: the graphs.
        dim: spatial dimension.
        seed: seed of the run.
        epoch: the epoch.
    """
    return rotations_of(batch, _training_table(dim, seed, epoch, batch.device))


def rotations_of(batch: GraphBatch, table: Tensor) -> Tensor:
    """The rotation of each graph of a batch, by its index in the store.

    Args:
        batch: the graphs.
        table: rotations of an epoch from `training_table`.
    """
    return table.index_select(0, batch.index % _TRAINING_TABLE_SIZE)


def training_table(dim: int, *, seed: int, epoch: int) -> Tensor:
    """The rotations of an epoch ``[16384, dim, dim]``, on the CPU."""
    generator = seeded_generator(seed, _TRAINING, epoch)
    return random_rotations(_TRAINING_TABLE_SIZE, dim, generator=generator)


@lru_cache(maxsize=2)
def _training_table(dim: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    return training_table(dim, seed=seed, epoch=epoch).to(device)


def evaluation_rotations(batch: GraphBatch, dim: int, *, seed: int, repeat: int) -> Tensor:
    """One rotation per graph that depends only on the graph's index in the store and ``repeat``.

    It does not depend on the batch size or the number of devices.
    """
    table = random_rotations(_TABLE_SIZE, dim, generator=seeded_generator(seed, _TEST, repeat))
    return table.to(batch.device).index_select(0, batch.index % _TABLE_SIZE)


def seeded_generator(*numbers: int) -> torch.Generator:
    """A generator whose stream depends only on these numbers."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))
