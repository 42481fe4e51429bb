"""Results as CSV rows: ``result.csv`` of a run, ``results.csv`` of a model."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, TypeVar

from geozoo.contracts import measure_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True)
class Result:
    """One metric of a run, or of its repeats with several seeds; fields are the file's columns.

    Attributes:
        recipe: the settings, such as ``ponita-nbody_quick``.
        dataset: name of the dataset.
        variant: molecule, or variant of the data.
        split: the protocol: name of the split, source and hash.
        metric: name of the metric, such as ``force_mae``.
        unit: physical unit.
        value: mean over the seeds.
        std: standard deviation over the seeds; None for a single seed.
        seeds: the seeds, separated by spaces.
        paper_value: the published number under the same protocol, if there is one.
        paper_ref: its reference.
        commit: commit of the code.
        command: the command line.
        device: the hardware.
        wall_time_s: wall time of training in seconds, mean over the seeds; 0 for a model that is
            not trained, None if it was not measured.
        peak_memory_mb: peak memory of training in MB; None if it was not measured.
        torch: PyTorch version.
        date: date of the run.
        checkpoint: name of the tested checkpoint and its epoch.
        curve: file of the validation curve, relative to the model's folder.
        baseline: error of the task's trivial baseline on the same test set.
        tolerance: largest allowed relative difference of a reproduction; None: the rule of
            `geozoo.results.reproduction.tolerance_of`.
    """

    recipe: str
    dataset: str
    variant: str
    split: str
    metric: str
    unit: str
    value: float
    std: float | None
    seeds: str
    paper_value: float | None
    paper_ref: str
    commit: str
    command: str
    device: str
    wall_time_s: float | None
    peak_memory_mb: float | None
    torch: str
    date: str
    checkpoint: str
    curve: str = ""
    baseline: float | None = None
    tolerance: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Identifies a measurement: a new row replaces an older one with the same key."""
        return (self.recipe, self.dataset, self.variant, self.split, self.metric, self.seeds)

    @property
    def is_detail(self) -> bool:
        """Whether the metric is secondary to others of its run."""
        return not measure_of(self.metric).is_headline

    @property
    def is_trained(self) -> bool:
        """Whether the model was trained in epochs with a measured wall time."""
        return bool(self.wall_time_s)

    @property
    def training_length(self) -> str:
        """Wall time of training: ``12 min``, ``40 s``, or a dash if none is recorded."""
        seconds = self.wall_time_s
        if not seconds:
            return NOTHING
        minutes = round(seconds / 60)
        return f"{minutes} min" if seconds >= 59.5 else f"{max(seconds, 0.1):.2g} s"

    @property
    def training(self) -> str:
        """Wall time and hardware of training, or a dash."""
        return f"{self.training_length}, {self.device}" if self.is_trained else NOTHING

    @property
    def tested(self) -> str:
        """The tested checkpoint and, for a trained model, its epoch."""
        first, *others = self.checkpoint.split(", ")
        kept = others if self.is_trained else [o for o in others if not o.startswith("epoch ")]
        return ", ".join([first, *kept])


def shown_number(value: float, std: float | None) -> str:
    """A number with four digits, and its standard deviation if there is one.

    >>> shown_number(0.0066056, 0.00032)
    '0.006606 ± 0.0003'
    """
    return f"{value:.4g}" + (f" ± {std:.1g}" if std is not None else "")


#: Placeholder for values that were not measured or do not exist.
NOTHING = "–"
_NUMBERS = ("value", "std", "paper_value", "wall_time_s", "peak_memory_mb", "baseline", "tolerance")


def read_results(path: Path) -> list[Result]:
    """The rows of a results file; empty if the file does not exist.

    Raises:
        ValueError: If the columns are not those of `Result`.
    """
    return read_rows(path, Result)


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write a results file."""
    names = [field.name for field in fields(Result)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in asdict(result).items()}
            for result in results
        )


def add_results(path: Path, results: Sequence[Result]) -> None:
    """Add rows to a results file, replacing older rows with the same key."""
    new = {result.key for result in results}
    kept = [result for result in read_results(path) if result.key not in new]
    ordered = sorted([*kept, *results], key=lambda result: result.key)
    write_results(path, ordered)


def over_seeds(results: Sequence[Result]) -> Result:
    """Average one metric over runs that differ only in the seed.

    Raises:
        ValueError: If they differ in anything else, or a seed occurs twice.
    """
    first = results[0]
    for name in ("recipe", "dataset", "variant", "split", "metric", "unit"):
        values = sorted({getattr(result, name) for result in results})
        if len(values) > 1:
            raise ValueError(f"runs to be averaged must have the same {name}, got {values}")
    seeds = [result.seeds for result in results]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"runs to be averaged must have different seeds, got {seeds}")
    if len(results) == 1:
        return first
    values = [result.value for result in results]
    times = [result.wall_time_s for result in results]
    peaks = [result.peak_memory_mb for result in results]
    return replace(
        first,
        value=mean(values),
        std=stdev(values),
        seeds=" ".join(sorted(seeds, key=int)),
        wall_time_s=_if_all_known(mean, times),
        peak_memory_mb=_if_all_known(max, peaks),
    )


def _if_all_known(
    summary: Callable[[list[float]], float], values: Sequence[float | None]
) -> float | None:
    known = [value for value in values if value is not None]
    return summary(known) if len(known) == len(values) else None


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows of a CSV file as instances of a dataclass; empty if the file does not exist.

    Raises:
        ValueError: If the columns are not the fields of the dataclass.
    """
    if not path.is_file():
        return []
    names = [field.name for field in fields(kind)]
    # Columns with a default were added later, so older files lack them.
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not needed <= set(reader.fieldnames or []) <= set(names):
            raise ValueError(f"{path} must have the columns {names}, got {reader.fieldnames}")
        return [
            kind(**{name: _parsed(name, text) for name, text in row.items() if name is not None})
            for row in reader
        ]


def _parsed(name: str, text: str) -> Any:
    if name not in _NUMBERS:
        return text
    return float(text) if text else None
