"""Numbers from the literature: ``published.csv`` of a model's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from geozoo.config._entries import entries
from geozoo.results.rows import Result, read_rows

#: Where a number was seen.
STATUS = ("paper", "repository", "reprint")


@dataclass(frozen=True)
class Published:
    """A number from the literature: a row of ``published.csv``.

    Attributes:
        method: what it is of, as papers write it.
        dataset: name of the data set.
        variant: molecule, or variant of the data.
        split: words that the split of a comparable result must contain.
        metric: name of the metric.
        unit: its unit.
        value: the number.
        std: its standard deviation over runs; None if not given.
        ref: where it stands.
        status: seen in the ``"paper"`` of the method, in its ``"repository"``, or as a
            ``"reprint"`` elsewhere.

    Raises:
        ValueError: for another status.
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
        """Refuse an unknown status."""
        if self.status not in STATUS:
            raise ValueError(f"status must be one of {STATUS}, got {self.status!r}")

    def is_comparable(self, result: Result) -> bool:
        """Whether a result has the same data, protocol, metric and unit."""
        same = ("dataset", "variant", "metric", "unit")
        return self.split in result.split and all(
            getattr(self, name) == getattr(result, name) for name in same
        )

    def is_of(self, model: str) -> bool:
        """Whether it is of a model of the zoo.

        >>> row = Published("GRAM-ODE", "d", "", "", "mae", "", 1.0, None, "a paper", "paper")
        >>> row.is_of("gram_ode")
        True
        """
        return re.sub(r"[^a-z0-9]+", "_", self.method.lower()) == model


def read_published(path: Path) -> list[Published]:
    """The rows of a file of published numbers; none if there is no file.

    Raises:
        ValueError: when its columns are not those of `Published`.
    """
    return [Published(**row) for row in read_rows(path, Published)]


def all_published() -> list[Published]:
    """The published numbers of all folders."""
    files = [entry.folder / "published.csv" for entry in entries("model")]
    return [row for file in files for row in read_published(file)]


def with_published(result: Result, model: str, published: Iterable[Published]) -> Result:
    """The row with the published number that it can be compared with, if there is one.

    Args:
        result: a row.
        model: the model of the zoo that made it.
        published: numbers of any method.
    """
    for row in published:
        if row.is_of(model) and row.is_comparable(result):
            return replace(result, paper_value=row.value, paper_ref=row.ref)
    return result
