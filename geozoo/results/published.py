"""Numbers from the literature: ``published.csv`` of a model's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from geozoo.config._entries import entries
from geozoo.results.rows import Result, read_rows

#: Where a number was read.
STATUS = ("paper", "repository", "reprint")


@dataclass(frozen=True)
class Published:
    """A number from the literature: a row of ``published.csv``.

    Attributes:
        method: name of the method, as papers write it.
        dataset: name of the dataset.
        variant: molecule, or variant of the data.
        split: text that the split of a comparable result must contain.
        metric: name of the metric.
        unit: its unit.
        value: the number.
        std: its standard deviation over runs; None if not given.
        ref: the reference.
        status: read in the ``"paper"`` of the method, in its ``"repository"``, or as a
            ``"reprint"`` elsewhere.

    Raises:
        ValueError: If the status is unknown.
    """

    method: str
    dataset: str
    variant: str
    split: str
    metric: str
    unit: str
    value: float
    std: float | None
    ref: str
    status: str

    def __post_init__(self) -> None:
        """Validate the status."""
        if self.status not in STATUS:
            raise ValueError(f"status must be one of {STATUS}, got {self.status!r}")

    def is_comparable(self, result: Result) -> bool:
        """Whether a result has the same data, protocol, metric and unit."""
        same = ("dataset", "variant", "metric", "unit")
        return self.split in result.split and all(
            getattr(self, name) == getattr(result, name) for name in same
        )

    def is_of(self, model: str) -> bool:
        """Whether the method is a given model of the zoo.

        >>> row = Published("GRAM-ODE", "d", "", "", "mae", "", 1.0, None, "a paper", "paper")
        >>> row.is_of("gram_ode")
        True
        """
        return re.sub(r"[^a-z0-9]+", "_", self.method.lower()) == model


def read_published(path: Path) -> list[Published]:
    """The rows of a file of published numbers; empty if the file does not exist.

    Raises:
        ValueError: If the columns are not those of `Published`.
    """
    return read_rows(path, Published)


def all_published() -> list[Published]:
    """The published numbers of all models."""
    files = [entry.folder / "published.csv" for entry in entries("model")]
    return [row for file in files for row in read_published(file)]


def with_published(result: Result, model: str, published: Iterable[Published]) -> Result:
    """The row, completed with the comparable published number of the same model, if any.

    Args:
        result: a row.
        model: the model of the zoo that it belongs to.
        published: published numbers of any methods.
    """
    for row in published:
        if row.is_of(model) and row.is_comparable(result):
            return replace(result, paper_value=row.value, paper_ref=row.ref)
    return result
