"""What is known of a finished run, from its folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geozoo.contracts import measure_of
from geozoo.results.rows import read_results
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.folder import RunFolder
from geozoo.runs.metrics_file import curves, read_metrics

_HORIZON = re.compile(r"_\d+min$")


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A finished run.

    Attributes:
        folder: its folder.
        seed: its seed.
        metrics: test metrics by name.
        baseline: those of the trivial baseline.
        units: unit of each metric.
        epochs: epochs of training.
        steps: training steps.
        seconds: wall time of training.
        cpu_seconds: CPU time of training; None: not measured.
        memory_mb: peak memory in MiB.
        device: the hardware.
        split: the data and their split.
        curves: epochs and values of the validation metrics by name without ``val/``.
    """

    folder: Path
    seed: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    units: dict[str, str]
    epochs: int
    steps: int
    seconds: float
    cpu_seconds: float | None
    memory_mb: float
    device: str
    split: str
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def time(self, clock: str) -> float:
        """Training time by a clock, ``cpu`` or ``wall``, in seconds."""
        return self.cpu_seconds if clock == "cpu" and self.cpu_seconds else self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the curves."""
        values = {name: value for name, value in vars(self).items() if name != "curves"}
        return {**values, "folder": self.folder.name}


def unit_of(runs: Sequence[FinishedRun], metric: str) -> str:
    """The unit of a metric; empty if no run has it."""
    return next((run.units[metric] for run in runs if metric in run.units), "")


def known_metrics(runs: Sequence[FinishedRun], given: str | None) -> list[str]:
    """The test metrics of some runs, after a check that the given one, if any, is among them.

    Raises:
        ValueError: If it is not.
    """
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    if given is not None and known and given not in known:
        raise ValueError(f"metric must be one of {', '.join(known)}, got {given!r}")
    return known


def headline_metrics(runs: Sequence[FinishedRun]) -> list[str]:
    """The headline metrics of tests, without those of single horizon steps."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return [n for n in names if measure_of(n).is_headline and not _HORIZON.search(n)]


def read_finished(folder: Path, seed: int) -> FinishedRun:
    """Read a run folder that has a result.

    Args:
        folder: the run folder.
        seed: its seed.
    """
    run = RunFolder(folder)
    rows, last = read_results(run.result), read_checkpoint(run.last)
    found = curves(read_metrics(run))
    return FinishedRun(
        folder=folder, seed=seed,
        metrics={row.metric: row.value for row in rows},
        baseline={row.metric: row.baseline for row in rows if row.baseline is not None},
        units={row.metric: row.unit for row in rows},
        epochs=last.epochs, steps=last.steps,
        seconds=rows[0].wall_time_s or 0.0, cpu_seconds=last.cpu_seconds,
        memory_mb=rows[0].peak_memory_mb or 0.0, device=rows[0].device, split=rows[0].split,
        curves={
            name.removeprefix("val/"): line for name, line in found.items()
            if name.startswith("val/")
        },
    )  # fmt: skip
