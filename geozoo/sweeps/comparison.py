"""Models compared after training for an equal time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from geozoo.contracts import direction_of
from geozoo.report.sheet import Column, Sheet
from geozoo.runs.probe import StepTime
from geozoo.sweeps.finished import FinishedRun, headline_metrics, known_metrics, unit_of
from geozoo.sweeps.spread import answer, differ, shown

#: The metric that decides, where checkpoints are selected by a loss.
PREFERRED = ("force_mae",)
#: A run whose time differs from the budget by more than this fraction is mentioned.
_UNEVEN = 0.25


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model in a comparison.

    Attributes:
        name: its name.
        cost: its measured cost; None if that failed.
        runs: its finished runs.
        error: why it failed, or one of its runs; empty otherwise.
    """

    name: str
    cost: StepTime | None = None
    runs: Sequence[FinishedRun] = ()
    error: str = ""

    def values(self, metric: str) -> list[float]:
        """The test metric of each run."""
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]


@dataclass(frozen=True, kw_only=True)
class EqualTime:
    """A comparison at equal training time.

    Attributes:
        minutes: time of each run.
        contenders: the models, in the order of the command line.
        metric: the metric that decides; None: see `deciding`.
    """

    minutes: float
    contenders: Sequence[Contender]
    metric: str | None = None

    @property
    def runs(self) -> list[FinishedRun]:
        """All finished runs."""
        return [run for each in self.contenders for run in each.runs]

    @property
    def metrics(self) -> list[str]:
        """The headline metrics of a test, and the given one."""
        given = [] if self.metric is None else [self.metric]
        return list(dict.fromkeys([*given, *headline_metrics(self.runs)]))

    @property
    def deciding(self) -> str:
        """The metric that decides: the given one, the monitored one, or that of the forces.

        Raises:
            ValueError: If the given metric is not one of the tests.
        """
        known = known_metrics(self.runs, self.metric)
        if self.metric is not None:
            return self.metric
        monitors = [each.cost.monitor for each in self.contenders if each.cost is not None]
        wanted = [*monitors, *PREFERRED, *self.metrics]
        return next((name for name in wanted if name in known), "")

    @property
    def direction(self) -> Literal["min", "max"]:
        """Whether smaller or larger values of the deciding metric are better."""
        return direction_of(self.deciding) if self.deciding else "min"

    @property
    def budget(self) -> str:
        """The time of each run in words."""
        unit = "minute" if self.minutes == 1 else "minutes"
        return f"{self.minutes:g} {unit} of training each"

    def ranked(self) -> list[Contender]:
        """The models from the best to the worst, those without a result last."""
        sign, name = 1 if self.direction == "min" else -1, self.deciding

        def rank(each: Contender) -> float:
            values = each.values(name)
            return sign * mean(values) if values else float("inf")

        return sorted(self.contenders, key=rank)

    def baseline(self, metric: str) -> float | None:
        """The metric of the trivial baseline."""
        found = [run.baseline[metric] for run in self.runs if metric in run.baseline]
        return found[0] if found else None

    def unit(self, metric: str) -> str:
        """The unit of a metric."""
        return unit_of(self.runs, metric)

    def answer(self) -> str:
        """The answer in one sentence, and which model is best by the other metrics."""
        sentences = [self._answer(self.deciding)]
        best = {name: self._better(name) for name in self.metrics if name != self.deciding}
        others = [f"{name}: {who}" for name, who in best.items() if who]
        if others:
            sentences.append(f"Best by other metrics: {', '.join(others)}.")
        failed = [each.name for each in self.contenders if each.error]
        if failed:
            sentences.append(f"Failed: {', '.join(failed)}.")
        return " ".join(sentences)

    def _better(self, metric: str) -> str:
        """The model that is better than the best one by another metric; empty if none is."""
        sign = 1 if _direction(metric) == "min" else -1
        known = [each for each in self.ranked() if each.values(metric)]
        if not known:
            return ""
        winner, first = min(known, key=lambda each: sign * mean(each.values(metric))), known[0]
        values = winner.values(metric), first.values(metric)
        is_level = mean(values[0]) == mean(values[1]) or differ(*values) is False
        return "" if is_level else winner.name

    def _answer(self, metric: str) -> str:
        return answer(
            {each.name: each.values(metric) for each in self.contenders}, metric=metric,
            unit=self.unit(metric), baseline=self.baseline(metric), direction=self.direction,
            budget=self.budget,
        )  # fmt: skip

    def uneven(self) -> list[str]:
        """What is unequal: runs that took far more or less than their time, seeds that lack."""
        found = []
        for each in self.contenders:
            clock = each.cost.clock if each.cost is not None else "wall"
            is_trained = each.cost is not None and each.cost.is_trained
            minutes = [run.time(clock) / 60 for run in each.runs]
            if is_trained and minutes and abs(mean(minutes) / self.minutes - 1) > _UNEVEN:
                found.append(
                    f"{each.name} trained for {mean(minutes):.3g} minutes instead of "
                    f"{self.minutes:g}: its steps cost more or less than those that were measured"
                )
        counts = {len(each.runs) for each in self.contenders if each.runs}
        if len(counts) > 1:
            found.append("not all models have the same number of seeds")
        if len({run.split for run in self.runs}) > 1:
            found.append("the runs used different data or splits")
        return found

    def sheet(self) -> Sheet:
        """The table: a row per model, from the best to the worst, and the baseline."""
        names = self.metrics
        first = [self.deciding] if self.deciding else []
        names = [*first, *(name for name in names if name != self.deciding)]
        table = Sheet(
            "model", *(f"{name} ({self.unit(name)})" for name in names), "seeds", "steps",
            "s/step", "minutes", "parameters", "memory (MiB)", Column("error", kind="text"),
            title=f"test after {self.budget}",
        )  # fmt: skip
        for number, each in enumerate(self.ranked()):
            table.add(*self._row(each, names), style="bold" if number == 0 and each.runs else "")
        if self.runs:
            numbers = [self.baseline(name) for name in names]
            cells = ["-" if value is None else shown([value]) for value in numbers]
            table.add("trivial baseline", *cells, *[""] * 7)
        return table

    def _row(self, each: Contender, names: Sequence[str]) -> list[str]:
        cost = each.cost
        is_trained = cost is not None and cost.is_trained
        clock = cost.clock if cost is not None else "wall"
        minutes = [run.time(clock) / 60 for run in each.runs]
        return [
            each.name, *(shown(each.values(name)) for name in names),
            str(len(each.runs)) if each.runs else "",
            f"{each.runs[0].steps:,}" if each.runs and is_trained else "",
            f"{cost.step_s:.3g}" if cost is not None and is_trained else "",
            f"{mean(minutes):.2f}" if minutes and is_trained else "",
            f"{cost.parameters:,}" if cost is not None else "",
            f"{max(run.memory_mb for run in each.runs):,.0f}" if each.runs else "",
            each.error,
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values of everything."""
        return {
            "answer": self.answer(), "minutes": self.minutes, "metric": self.deciding,
            "units": {name: self.unit(name) for name in self.metrics},
            "baseline": {name: self.baseline(name) for name in self.metrics},
            "uneven": self.uneven(),
            "models": [
                {
                    "model": each.name, "error": each.error,
                    "cost": None if each.cost is None else each.cost.to_dict(),
                    "runs": [run.to_dict() for run in each.runs],
                }
                for each in self.ranked()
            ],
        }  # fmt: skip


def _direction(metric: str) -> Literal["min", "max"]:
    try:
        return direction_of(metric)
    except ValueError:  # a coverage, of which neither more nor less is better
        return "min"
