"""All recorded runs of the zoo, each with a short id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.config._entries import entries
from geozoo.results.rows import Result, read_results

_ID_DIGITS = 6


@dataclass(frozen=True)
class Run:
    """The results of one training run, or of its repeats with several seeds: a row per metric.

    Attributes:
        model: name of the model in the zoo.
        results: the rows, which differ only in metric, unit, value and baseline.
    """

    model: str
    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The first row, for the columns that all rows share."""
        return self.results[0]

    @property
    def id(self) -> str:
        """Six hexadecimal digits that depend only on settings, data and seeds."""
        first = self.first
        parts = (self.model, first.recipe, first.dataset, first.variant, first.split, first.seeds)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_ID_DIGITS]

    @property
    def label(self) -> str:
        """Model and changed settings: ``ponita (quick, trainer.max_epochs=3)``."""
        recipe = self.first.recipe
        changes = recipe.removeprefix(f"{self.model}-{self.first.dataset}")
        changes = changes.removeprefix(f"{self.model}-").removeprefix(" without recipe")
        changes = changes.lstrip("_, ")
        return f"{self.model} ({changes})" if changes else self.model

    def metric(self, name: str) -> Result | None:
        """The row of a metric; None if there is none."""
        return next((row for row in self.results if row.metric == name), None)


def read_ledger() -> list[Run]:
    """Every recorded run, sorted by model, dataset and recipe."""
    runs: dict[tuple[str, ...], list[Result]] = {}
    for entry in entries("model"):
        for row in read_results(entry.folder / "results.csv"):
            key = (entry.name, row.dataset, row.variant, row.split, row.recipe, row.seeds)
            runs.setdefault(key, []).append(row)
    return [Run(key[0], tuple(rows)) for key, rows in sorted(runs.items())]


def select_runs(words: Sequence[str]) -> list[Run]:
    """The runs that match all search terms in id, model, recipe, dataset, variant or device.

    Args:
        words: search terms, ignoring case; empty: all runs.
    """

    def matches(run: Run, word: str) -> bool:
        row = run.first
        texts = (run.id, run.model, row.recipe, row.dataset, row.variant, row.device)
        return any(word.lower() in text.lower() for text in texts)

    return [run for run in read_ledger() if all(matches(run, word) for word in words)]


def find_run(name: str) -> Run:
    """The run with a given id or id prefix.

    Raises:
        ValueError: If no run or more than one matches.
    """
    found = [run for run in read_ledger() if run.id.startswith(name)]
    if len(found) != 1:
        what = f"matches {len(found)} runs" if found else "matches no recorded run"
        raise ValueError(f"run id {name!r} {what}; `geozoo results` lists all ids")
    return found[0]
