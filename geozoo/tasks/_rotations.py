"""Random rotations that are functions of numbers, not of a random state."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.geometry import random_rotations

#: Different test rotations; graph i of the store takes number i modulo this.
_TABLE_SIZE = 1024
_TRAINING, _TEST = 0, 1


def training_rotations(
    batch: GraphBatch, dim: int, *, seed: int, epoch: int, step: tuple[int, int]
) -> Tensor:
    """One rotation per graph, the same whenever this batch of this epoch comes again.

    So a resumed run sees the augmentation of an uninterrupted one.

    Args:
        batch: the graphs.
        dim: dimension of space.
        seed: seed of the run.
        epoch: number of the epoch.
        step: number of the batch within the epoch, and rank of the process.
    """
    generator = seeded_generator(seed, _TRAINING, epoch, *step)
    return random_rotations(batch.num_graphs, dim, generator=generator, device=batch.device)


def evaluation_rotations(batch: GraphBatch, dim: int, *, seed: int, repeat: int) -> Tensor:
    """One rotation per graph that depends on the graph's position in the store and on ``repeat``.

    Neither the batch size nor the number of devices changes which rotation a graph gets.
    """
    table = random_rotations(_TABLE_SIZE, dim, generator=seeded_generator(seed, _TEST, repeat))
    return table.to(batch.device).index_select(0, batch.index % _TABLE_SIZE)


def seeded_generator(*numbers: int) -> torch.Generator:
    """A generator whose stream depends on these numbers alone."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))
