"""Noise of a diffusion that is a function of numbers, not of a random state."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.diffusion import Cloud, Diffusion, Points
from geozoo.tasks._rotations import seeded_generator

#: Different noises in an evaluation; molecule i of the store takes number i modulo this.
_TABLE_SIZE = 1024
#: Points of a molecule with noise of their own; more begin anew.
_MAX_POINTS = 64
_TRAINING, _EVALUATION = 2, 3


def training_generator(seed: int, *step: int) -> torch.Generator:
    """The same stream whenever this batch of this epoch comes again."""
    return seeded_generator(seed, _TRAINING, *step)


def evaluation_noise(
    batch: GraphBatch, like: Points, process: Diffusion, *, seed: int, repeat: int = 0
) -> tuple[Tensor, Points]:
    """A noise level per molecule and noise per atom that depend on the molecule's place alone.

    Args:
        batch: the molecules; ``index`` is their place in the data.
        like: points of the wanted shape and dtype.
        process: draws the levels.
        seed: seed of the run.
        repeat: another number gives other noise.
    """
    generator = seeded_generator(seed, _EVALUATION, repeat)
    width = like.pos.shape[1] + like.x.shape[1]
    levels = process.draw_levels(_TABLE_SIZE, generator)
    table = torch.randn(_TABLE_SIZE, _MAX_POINTS, width, generator=generator)
    row = (batch.index % _TABLE_SIZE).cpu()
    owner = batch.batch.cpu()
    place = torch.arange(batch.num_nodes) - batch.ptr.cpu().index_select(0, owner)
    noise = table[row[owner], place % _MAX_POINTS].to(like.pos)
    pos, x = noise.split([like.pos.shape[1], like.x.shape[1]], 1)
    cloud = Cloud(batch.batch, batch.num_graphs)
    return levels[row].to(batch.device), Points(cloud.center(pos), x)
