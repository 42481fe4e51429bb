"""Scores of sampled molecules in a test, and progress of the sampling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geozoo.metrics import WeightedMeans, generation_scores, molecule_bonds

_LOG = logging.getLogger(__name__)
#: Number of progress lines logged while sampling molecules in a test.
_NUM_LINES = 5
#: Scores of sampled molecules in a validation, in per cent.
STABILITIES = ("atom_stability", "molecule_stability")
#: Scores of sampled molecules in a test, in per cent.
SAMPLED_MEASURES = (
    *STABILITIES, "validity", "uniqueness", "valid_unique", "novelty",
)  # fmt: skip


def add_stability(
    means: WeightedMeans, pos: Tensor, z: Tensor, batch: Tensor, num_graphs: int
) -> None:
    """Add atom and molecule stability, with bonds assigned from distances."""
    bonds = molecule_bonds(pos, z, batch, num_graphs)
    values = {
        "atom_stability": 100.0 * bonds.stable_atoms.double(),
        "molecule_stability": 100.0 * bonds.stable.double(),
    }
    means.update(values, {name: torch.ones_like(value) for name, value in values.items()})


def add_scores(means: WeightedMeans, smiles: Sequence[str | None], known: set[str | None]) -> None:
    """Add validity, uniqueness and novelty; ``known`` holds the SMILES of the training split."""
    scores = {name: torch.tensor([v]) for name, v in generation_scores(smiles, known).items()}
    means.update(scores, {name: torch.ones(1) for name in scores})


def logged_progress(total: int) -> Callable[[int], None]:
    """A progress callback that logs a few times how many of ``total`` molecules are sampled."""
    done = 0

    def progress(amount: int) -> None:
        nonlocal done
        before, done = done, done + amount
        if done * _NUM_LINES // total > before * _NUM_LINES // total:
            _LOG.info("sampled %d of %d molecules", done, total)

    return progress
