"""Whether a repeated run reproduces its record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.results.ledger import Run
from geozoo.results.rows import Result

#: Tolerance in standard deviations over seeds.
_DEVIATIONS = 3.0
#: Relative tolerance of a single run: other machines round differently, and training amplifies
#: rounding differences.
_SHARE_TRAINED, _SHARE_FITTED = 0.1, 1e-3
#: Before this date the best checkpoint of a potential was selected by its energy error.
_BY_LOSS_SINCE = "2026-11-28"


@dataclass(frozen=True)
class Comparison:
    """A metric of a record and of its reproduction.

    Attributes:
        recorded: the recorded row.
        found: the value of the new run.
        tolerance: largest allowed difference, in the unit of the metric.
    """

    recorded: Result
    found: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.found - self.recorded.value) <= self.tolerance


def tolerance_of(row: Result) -> float:
    """Largest allowed difference of a new run from a row, in the unit of the metric.

    The row's own ``tolerance`` (relative to the value) if set; otherwise three standard deviations
    if there are several seeds, 10 % of the value for a single training run, and 0.1 % for a model
    that is not trained.
    """
    if row.tolerance is not None:
        return row.tolerance * abs(row.value)
    if not row.is_trained:
        return _SHARE_FITTED * abs(row.value)
    if row.std is not None:
        return _DEVIATIONS * row.std
    return _SHARE_TRAINED * abs(row.value)


def compare(run: Run, found: Sequence[Result]) -> list[Comparison]:
    """Compare the metrics of a record with those of a new run.

    Raises:
        ValueError: If the new run lacks a metric.
    """
    values = {row.metric: row.value for row in found}
    missing = [row.metric for row in run.results if row.metric not in values]
    if missing:
        raise ValueError(f"the new run lacks the metrics {', '.join(missing)}")
    return [Comparison(row, values[row.metric], tolerance_of(row)) for row in run.results]


def stages(command: str) -> list[str]:
    """The command lines of a record: training, then continuations and tests.

    >>> stages("geozoo-train 'dataset.path=a; b.xyz'; geozoo-evaluate '<run>'")
    ["geozoo-train 'dataset.path=a; b.xyz'", "geozoo-evaluate '<run>'"]
    """
    parts = command.split("; ")
    whole = parts[:1]
    for part in parts[1:]:
        if _is_readable(whole[-1]):
            whole.append(part)
        else:
            whole[-1] += f"; {part}"
    return whole if _is_readable(whole[-1]) else parts


def _is_readable(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def commands_of(run: Run, seed: int) -> list[list[str]]:
    """The command lines of a record for one of its seeds: program and arguments.

    The first one trains and selects the best checkpoint by the same criterion as the record; later
    ones continue the run folder ``<run>`` or test it under other conditions.
    """
    parts = [shlex.split(part) for part in stages(run.first.command)]
    train = [each for each in parts[0] if not re.match(r"(seed=|-m$|--multirun$)", each)]
    is_potential = {"energy_mae", "force_mae"} <= {row.metric for row in run.results}
    is_chosen = any(each.startswith("task.monitor=") for each in train)
    if is_potential and not is_chosen and run.first.date < _BY_LOSS_SINCE:
        train.append("task.monitor=val/energy_mae")
    return [[*train, f"seed={seed}"], *parts[1:]]
