"""Published results for the model and dataset of a run, if comparable to its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from geozoo.results.published import Published, all_published
from geozoo.results.rows import Result, shown_number
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.result import result_rows

#: End of a sentence about published results that are not comparable.
_NONE = "they are not shown next to the results of this run"


@dataclass(frozen=True)
class Literature:
    """Published results for the model and dataset of a run.

    Attributes:
        values: published values under the same protocol, by metric.
        sources: their references, in a sentence; empty without values.
        note: why other published results are not comparable; empty if there are none.
    """

    values: dict[str, str] = field(default_factory=dict)
    sources: str = ""
    note: str = ""


def literature(outcome: RunOutcome) -> Literature:
    """The published results for a tested run."""
    if not outcome.is_tested:
        return Literature()
    record = outcome.task.record
    changed = _changes(outcome, result_rows(outcome)[0])
    model = record["choices"]["model"]
    return beside(result_rows(outcome), model, all_published(), changed)


def beside(
    rows: Sequence[Result], model: str, published: Iterable[Published], changed: str
) -> Literature:
    """Published results for the rows of a run.

    Args:
        rows: one row per metric of the run.
        model: name of its model in the zoo.
        published: published results of any method.
        changed: how the run differs from a full training with the published settings; empty if it
            does not.
    """
    own = [row for row in published if row.is_of(model)]
    same_split: dict[str, Published] = {}
    for result in rows:
        for row in own:
            if row.is_comparable(result):
                same_split.setdefault(result.metric, row)
    if same_split and not changed:
        values = {name: shown_number(row.value, row.std) for name, row in same_split.items()}
        return Literature(values, sources=f"Published: {_references(same_split.values())}.")
    if same_split:
        refs = _references(same_split.values())
        return Literature(
            note=f"Published results of {model} on this dataset ({refs}) are from the full "
            f"training; this run differs ({changed}), so {_NONE}."
        )
    keys = {(result.dataset, result.variant) for result in rows}
    others = [row for row in own if (row.dataset, row.variant) in keys]
    if not others:
        return Literature()
    splits = sorted({row.split or "any" for row in others})
    return Literature(
        note=f"Published results of {model} on this dataset ({_references(others)}) use "
        f"another split or protocol ({', '.join(splits)}), so {_NONE}."
    )


def _references(rows: Iterable[Published]) -> str:
    return "; ".join(dict.fromkeys(row.ref for row in rows))


def _changes(outcome: RunOutcome, row: Result) -> str:
    """How a run differs from a full training with the published settings of its pair."""
    assert outcome.effort is not None
    choices, done = outcome.task.record["choices"], outcome.effort.epochs
    recipe, *changes = row.recipe.split(", ", 1)
    differences = list(changes)
    if choices.get("trainer", "default") != "default" or recipe.endswith(" without recipe"):
        differences.insert(0, recipe)
    planned = outcome.cfg.trainer.get("max_epochs")
    if planned is not None and 0 < done < planned:
        differences.append(f"ended after {done} of {planned} epochs")
    if outcome.tested.cut:
        differences.append(f"tested on {outcome.tested.cut}")
    return ", ".join(differences)
