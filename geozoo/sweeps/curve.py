"""Error against the number of training samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from geozoo.contracts import direction_of, measure_of
from geozoo.report.sheet import Column, Sheet
from geozoo.sweeps.finished import FinishedRun, headline_metrics, known_metrics, unit_of
from geozoo.sweeps.plan import fitted_schedule
from geozoo.sweeps.power_law import PowerLaw, fit_power_law
from geozoo.sweeps.spread import shown

#: Fewer epochs than this are a short training.
_FEW_EPOCHS = 20


@dataclass(frozen=True)
class CurveLength:
    """The length of the runs of a learning curve.

    Attributes:
        epochs: epochs of the largest size.
        val_every: its epochs between two validations.
        batch_size: samples per batch.
        largest: the largest size.
        is_equal: whether smaller sizes take as many steps, in more epochs; otherwise they take as
            many epochs, and learn less because they are trained less.
    """

    epochs: int
    val_every: int
    batch_size: int
    largest: int
    is_equal: bool = True

    def epochs_of(self, size: int) -> int:
        """The epochs of a size."""
        if not self.is_equal:
            return self.epochs
        of_largest, own = (math.ceil(each / self.batch_size) for each in (self.largest, size))
        return max(1, round(self.epochs * of_largest / own))

    def arguments(self, size: int, seed: int, schedule: Mapping[str, Any]) -> list[str]:
        """The arguments of ``geozoo train`` for a size and a seed."""
        epochs = self.epochs_of(size)
        every = max(1, min(epochs, round(self.val_every * epochs / self.epochs)))
        return [
            f"trainer.max_epochs={epochs}", f"trainer.check_val_every_n_epoch={every}",
            *fitted_schedule(self.epochs, schedule, epochs),
            f"dataset.loader.num_train={size}", f"dataset.loader.subset_seed={seed}",
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A measured learning curve.

    Attributes:
        model: name of the model.
        runs: the finished runs of each size.
        errors: why runs of a size failed.
        metric: the test metric; None: see `deciding`.
        preferred: metrics to choose it from.
    """

    model: str
    runs: Mapping[int, Sequence[FinishedRun]]
    errors: Mapping[int, str]
    metric: str | None = None
    preferred: Sequence[str] = ()

    @property
    def finished(self) -> list[FinishedRun]:
        """All finished runs."""
        return [run for runs in self.runs.values() for run in runs]

    @property
    def metrics(self) -> list[str]:
        """The headline metrics, that of the curve first."""
        first = [self.deciding] if self.deciding else []
        return list(dict.fromkeys([*first, *headline_metrics(self.finished)]))

    @property
    def deciding(self) -> str:
        """The metric of the curve.

        Raises:
            ValueError: If the given metric is not one of the tests.
        """
        known = known_metrics(self.finished, self.metric)
        if self.metric is not None:
            return self.metric
        return next((name for name in (*self.preferred, *known) if name in known), "")

    def values(self, metric: str) -> dict[int, list[float]]:
        """The metric of all seeds by size."""
        return {
            size: [run.metrics[metric] for run in runs if metric in run.metrics]
            for size, runs in self.runs.items()
        }

    def unit(self, metric: str) -> str:
        """The unit of a metric."""
        return unit_of(self.finished, metric)

    def baseline(self, metric: str) -> float | None:
        """The metric of the trivial baseline, mean over the runs."""
        found = [run.baseline[metric] for run in self.finished if metric in run.baseline]
        return mean(found) if found else None

    def law(self, metric: str) -> PowerLaw | None:
        """The power law of a metric; None for scores, and without two sizes."""
        if not metric or measure_of(metric).higher_is_better is not False:
            return None
        return fit_power_law(self.values(metric))

    def answer(self) -> str:
        """The result in one sentence."""
        name = self.deciding
        means = {size: mean(values) for size, values in self.values(name).items() if values}
        if len(means) < 2:
            return "Fewer than two sizes have a result: there is no curve."
        first, last = min(means), max(means)
        law = self.law(name)
        if law is None:
            return (
                f"{name} goes from {shown([means[first]])} to {shown([means[last]])} "
                f"{self.unit(name)} between {first} and {last} samples."
            ).replace("  ", " ")
        text = f"{name} of {self.model} falls as N^-b with b = {law.shown()}"
        if law.uncertainty is None:
            return f"{text} between {first} and {last} samples; two sizes give no uncertainty."
        if abs(law.exponent) < 2 * law.uncertainty:
            return (
                f"{name} of {self.model} does not measurably follow a power law between {first} "
                f"and {last} samples: the exponent is {law.shown()} (standard error)."
            )
        if law.exponent < 0:
            return f"{name} of {self.model} grows with more data (b = {law.shown()}): look at runs."
        return (
            f"{text} (standard error) between {first} and {last} samples: twice the data divides "
            f"it by {2**law.exponent:.2f}."
        )

    def warnings(self) -> list[str]:
        """What the reader should know first: too short a training, sizes that lack."""
        found = []
        largest = [run.epochs for run in self.runs[max(self.runs)] if run.epochs]
        if largest and max(largest) < _FEW_EPOCHS:
            found.append(
                f"the largest size was trained for {max(largest)} epochs only: the curve may show "
                "the limit of training, not of data; see trainer.max_epochs"
            )
        if lacking := [str(size) for size, runs in self.runs.items() if not runs]:
            found.append(f"no run of the sizes {', '.join(lacking)} finished")
        return found

    def sheet(self) -> Sheet:
        """The table: a row per size, the exponents and the baseline."""
        names = self.metrics
        table = Sheet(
            "samples", *(f"{name} ({self.unit(name)})" for name in names), "seeds", "epochs",
            "steps", "wall minutes", Column("error", kind="text"), title=f"test of {self.model}",
        )  # fmt: skip
        for size, runs in sorted(self.runs.items()):
            values = [shown(self.values(name)[size]) for name in names]
            facts = ["", "", "", ""]
            if runs:
                minutes = mean(run.seconds for run in runs) / 60
                facts = [
                    str(len(runs)),
                    str(runs[0].epochs),
                    f"{runs[0].steps:,}",
                    f"{minutes:.2f}",
                ]
            table.add(str(size), *values, *facts, self.errors.get(size, ""))
        laws = [self.law(name) for name in names]
        if any(law is not None for law in laws):
            cells = ["-" if law is None else law.shown() for law in laws]
            table.add("exponent b", *cells, *[""] * 5, style="bold")
        if names:
            numbers = [self.baseline(name) for name in names]
            cells = ["-" if value is None else shown([value]) for value in numbers]
            table.add("trivial baseline", *cells, *[""] * 5)
        return table

    def to_dict(self) -> dict[str, Any]:
        """Plain values of everything."""
        laws = {name: self.law(name) for name in self.metrics}
        return {
            "answer": self.answer(), "model": self.model, "metric": self.deciding,
            "direction": direction_of(self.deciding) if self.deciding else "",
            "power_laws": {n: None if law is None else law.to_dict() for n, law in laws.items()},
            "sizes": [
                {
                    "samples": size, "error": self.errors.get(size, ""),
                    "runs": [run.to_dict() for run in runs],
                }
                for size, runs in sorted(self.runs.items())
            ],
        }  # fmt: skip
