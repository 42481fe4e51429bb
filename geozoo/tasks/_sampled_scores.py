"""Scores of sampled molecules in a test, and progress of the sampling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geozoo.data import GraphDataModule
from geozoo.metrics import (
    PLAUSIBILITY_CHECKS,
    WeightedMeans,
    can_check_plausibility,
    generation_scores,
    molecule_bonds,
    molecule_smiles,
    plausible_molecules,
)

_LOG = logging.getLogger(__name__)
#: Number of progress lines logged while sampling molecules in a test.
_NUM_LINES = 5
#: Scores of sampled molecules in a validation, in per cent.
STABILITIES = ("atom_stability", "molecule_stability")
DRAWN_MEASURES = (*STABILITIES, "connected")
#: Scores of sampled molecules in a test, in per cent.
SAMPLED_MEASURES = (
    *DRAWN_MEASURES, "validity", "uniqueness", "valid_unique", "novelty",
)  # fmt: skip

#: Shares of molecules that pass each check of PoseBusters, and all of them.
PLAUSIBILITY_MEASURES = (*(f"{name}_check" for name in PLAUSIBILITY_CHECKS.values()), "plausible")


def tested_measures() -> tuple[str, ...]:
    """The scores of sampled molecules in a test; those of PoseBusters only if it is installed."""
    if can_check_plausibility():
        return (*SAMPLED_MEASURES, *PLAUSIBILITY_MEASURES)
    _LOG.info(
        "posebusters is not installed: the geometry of samples is not checked "
        '(pip install "geozoo[plausibility]")'
    )
    return SAMPLED_MEASURES


def add_stability(
    means: WeightedMeans, pos: Tensor, z: Tensor, batch: Tensor, num_graphs: int
) -> None:
    """Add stability and connectedness, with bonds assigned from distances."""
    bonds = molecule_bonds(pos, z, batch, num_graphs)
    values = {
        "atom_stability": 100.0 * bonds.stable_atoms.double(),
        "molecule_stability": 100.0 * bonds.stable.double(),
        "connected": 100.0 * bonds.connected.double(),
    }
    means.update(values, {name: torch.ones_like(value) for name, value in values.items()})


def add_scores(means: WeightedMeans, smiles: Sequence[str | None], known: set[str | None]) -> None:
    """Add validity, uniqueness and novelty; ``known`` holds the SMILES of the training split."""
    scores = {name: torch.tensor([v]) for name, v in generation_scores(smiles, known).items()}
    means.update(scores, {name: torch.ones(1) for name in scores})


def add_plausibility(
    means: WeightedMeans, pos: Tensor, z: Tensor, batch: Tensor, num_graphs: int
) -> None:
    """Add the checks of PoseBusters, if ``means`` holds them."""
    if "plausible" not in means.names:
        return
    passed = plausible_molecules(pos, z, batch, num_graphs)
    names = {name: name if name == "plausible" else f"{name}_check" for name in passed}
    values = {names[name]: 100.0 * value.double() for name, value in passed.items()}
    means.update(values, {name: torch.ones_like(value) for name, value in values.items()})


def training_smiles(data: GraphDataModule) -> set[str | None]:
    """SMILES of the molecules that a model is trained on, with bonds from distances as for samples.

    If ``loader.num_train`` cuts the training split, these are the molecules that remain: others
    of the split count as novel.
    """
    used = data.splits["train"]
    _LOG.info("computing the SMILES of the %d training molecules, for the novelty", len(used))
    known: set[str | None] = set()
    for part in used.split(1000):
        batch = data.store.gather(part)
        known.update(molecule_smiles(batch.pos, batch.z, batch.batch, batch.num_graphs))
    return known - {None}


def logged_progress(total: int) -> Callable[[int], None]:
    """A progress callback that logs a few times how many of ``total`` molecules are sampled."""
    done = 0

    def progress(amount: int) -> None:
        nonlocal done
        before, done = done, done + amount
        if done * _NUM_LINES // total > before * _NUM_LINES // total:
            _LOG.info("sampled %d of %d molecules", done, total)

    return progress
