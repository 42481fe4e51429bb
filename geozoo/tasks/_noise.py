"""Diffusion noise that depends on seeds and indices only, not on a random state."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.diffusion import Cloud, Diffusion, Points
from geozoo.tasks._rotations import seeded_generator

#: Number of distinct noise samples in an evaluation; molecule i of the store uses i modulo this.
_TABLE_SIZE = 1024
#: Number of atoms with distinct noise; the noise of larger molecules repeats.
_MAX_POINTS = 64
_TRAINING, _EVALUATION = 2, 3


def training_generator(seed: int, *step: int) -> torch.Generator:
    """A generator whose stream depends only on the seed and the step, such as epoch and batch."""
    return seeded_generator(seed, _TRAINING, *step)


def evaluation_noise(
    batch: GraphBatch, like: Points, process: Diffusion, *, seed: int, repeat: int = 0
) -> tuple[Tensor, Points]:
    """A noise level per molecule and noise per atom that depend only on the molecule's index.

    Args:
        batch: the molecules; ``index`` holds their indices in the store.
        like: points with the shape and dtype of the noise.
        process: draws the noise levels.
        seed: seed of the run.
        repeat: distinguishes independent noise samples of a molecule.
    """
    generator = seeded_generator(seed, _EVALUATION, repeat)
    width = like.pos.shape[1] + like.x.shape[1]
    levels = process.draw_levels(_TABLE_SIZE, generator)
    table = torch.randn(_TABLE_SIZE, _MAX_POINTS, width, generator=generator)
    row = (batch.index % _TABLE_SIZE).cpu()
    owner = batch.batch.cpu()
    atom = torch.arange(batch.num_nodes) - batch.ptr.cpu().index_select(0, owner)
    noise = table[row[owner], atom % _MAX_POINTS].to(like.pos)
    pos, x = noise.split([like.pos.shape[1], like.x.shape[1]], 1)
    cloud = Cloud(batch.batch, batch.num_graphs)
    return levels[row].to(batch.device), Points(cloud.center(pos), x)
