"""All recorded runs of the zoo, each with a short name by which it can be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.config._entries import entries
from geozoo.results.rows import Result, read_results

_ID_DIGITS = 6


@dataclass(frozen=True)
class Run:
    """What one training, or one of several seeds, gave: a row for each metric.

    Attributes:
        model: the model of the zoo.
        results: the rows; they share everything but metric, unit, value and baseline.
    """

    model: str
    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """A row, for what all of them share."""
        return self.results[0]

    @property
    def id(self) -> str:
        """Six digits that name the run as long as its settings, data and seeds stay the same."""
        first = self.first
        parts = (self.model, first.recipe, first.dataset, first.variant, first.split, first.seeds)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_ID_DIGITS]

    @property
    def label(self) -> str:
        """Model and what the run changed: ``ponita (quick, trainer.max_epochs=3)``."""
        recipe = self.first.recipe
        changes = recipe.removeprefix(f"{self.model}-{self.first.dataset}")
        changes = changes.removeprefix(f"{self.model}-").removeprefix(" without recipe")
        changes = changes.lstrip("_, ")
        return f"{self.model} ({changes})" if changes else self.model

    def metric(self, name: str) -> Result | None:
        """The row of a metric."""
        return next((row for row in self.results if row.metric == name), None)


def read_ledger() -> list[Run]:
    """Every recorded run, by model, data and recipe."""
    runs: dict[tuple[str, ...], list[Result]] = {}
    for entry in entries("model"):
        for row in read_results(entry.folder / "results.csv"):
            key = (entry.name, row.dataset, row.variant, row.split, row.recipe, row.seeds)
            runs.setdefault(key, []).append(row)
    return [Run(key[0], tuple(rows)) for key, rows in sorted(runs.items())]


def select_runs(words: Sequence[str]) -> list[Run]:
    """The runs in whose id, model, recipe, data, variant or device all words occur.

    Args:
        words: any of these, in any case; none: all runs.
    """

    def says(run: Run, word: str) -> bool:
        row = run.first
        texts = (run.id, run.model, row.recipe, row.dataset, row.variant, row.device)
        return any(word.lower() in text.lower() for text in texts)

    return [run for run in read_ledger() if all(says(run, word) for word in words)]


def find_run(name: str) -> Run:
    """The run of an id, or of the beginning of one.

    Raises:
        ValueError: when there is none, or more than one.
    """
    found = [run for run in read_ledger() if run.id.startswith(name)]
    if len(found) != 1:
        what = f"names {len(found)} runs" if found else "names no recorded run"
        raise ValueError(f"{name!r} {what}; `geozoo results` lists them with their ids")
    return found[0]
