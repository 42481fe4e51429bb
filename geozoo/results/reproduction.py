"""Whether a run that was made again agrees with its record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.results.ledger import Run
from geozoo.results.rows import Result

#: Deviations over seeds that a mean may be off.
_DEVIATIONS = 3.0
#: Share of the value that a single run may be off: another machine rounds otherwise, and a training
#: makes much of little.
_SHARE_TRAINED, _SHARE_FITTED = 0.1, 1e-3
#: Before that day the best checkpoint of a potential was chosen by its energy error.
_BY_LOSS_SINCE = "2026-11-28"


@dataclass(frozen=True)
class Comparison:
    """A metric then and now.

    Attributes:
        recorded: the row of the record.
        found: the number of the new run.
        tolerance: how far they may be apart, in the unit of the metric.
    """

    recorded: Result
    found: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether they are no farther apart."""
        return abs(self.found - self.recorded.value) <= self.tolerance


def tolerance_of(row: Result) -> float:
    """How far a new run may be from a row, in the unit of the metric.

    What the row says (``tolerance``, a share of the value); otherwise three standard deviations
    over seeds where there are several, a tenth of the value for a single training, and a thousandth
    where nothing is trained.
    """
    if row.tolerance is not None:
        return row.tolerance * abs(row.value)
    if not row.is_trained:
        return _SHARE_FITTED * abs(row.value)
    if row.std is not None:
        return _DEVIATIONS * row.std
    return _SHARE_TRAINED * abs(row.value)


def compare(run: Run, found: Sequence[Result]) -> list[Comparison]:
    """The metrics of a record beside those of a new run.

    Raises:
        ValueError: when the new run lacks a metric.
    """
    values = {row.metric: row.value for row in found}
    missing = [row.metric for row in run.results if row.metric not in values]
    if missing:
        raise ValueError(f"the new run has no {', '.join(missing)}")
    return [Comparison(row, values[row.metric], tolerance_of(row)) for row in run.results]


def stages(command: str) -> list[str]:
    """The command lines of a record: a training, continuations and tests of it.

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
    """The command lines of a record for one of its seeds: program and words.

    The first trains, and chooses its best checkpoint as it was chosen then; a further one continues
    the run folder, ``<run>``, or tests it under other conditions.
    """
    parts = [shlex.split(part) for part in stages(run.first.command)]
    train = [word for word in parts[0] if not re.match(r"(seed=|-m$|--multirun$)", word)]
    is_potential = {"energy_mae", "force_mae"} <= {row.metric for row in run.results}
    is_chosen = any(word.startswith("task.monitor=") for word in train)
    if is_potential and not is_chosen and run.first.date < _BY_LOSS_SINCE:
        train.append("task.monitor=val/energy_mae")
    return [[*train, f"seed={seed}"], *parts[1:]]
