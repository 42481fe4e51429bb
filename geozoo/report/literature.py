"""Published numbers of the model and data of a run, where they can stand beside its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from geozoo.results.published import Published, all_published
from geozoo.results.rows import Result, shown_number
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.result import result_rows

#: Endings of a sentence about numbers of the literature.
_NONE = "they are not shown beside this run's"


@dataclass(frozen=True)
class Literature:
    """What the literature says of a run's model on its data.

    Attributes:
        values: by metric, the published number of the same protocol.
        sources: where these stand, in a sentence; empty without such numbers.
        note: why published numbers are not comparable; empty if there are none of these.
    """

    values: dict[str, str] = field(default_factory=dict)
    sources: str = ""
    note: str = ""


def literature(outcome: RunOutcome) -> Literature:
    """The published numbers of a tested run."""
    if not outcome.is_tested:
        return Literature()
    record = outcome.task.record
    changed = _changes(outcome, result_rows(outcome)[0])
    model = record["choices"]["model"]
    return beside(result_rows(outcome), model, all_published(), changed)


def beside(
    rows: Sequence[Result], model: str, published: Iterable[Published], changed: str
) -> Literature:
    """Published numbers for rows of a result.

    Args:
        rows: one for each metric of the run.
        model: its model in the zoo.
        published: numbers of any method.
        changed: how the run differs from the full training of the published settings; empty if it
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
            note=f"Published numbers of {model} on these data ({refs}) are of the full training; "
            f"this run is another one ({changed}), so {_NONE}."
        )
    keys = {(result.dataset, result.variant) for result in rows}
    others = [row for row in own if (row.dataset, row.variant) in keys]
    if not others:
        return Literature()
    splits = sorted({row.split or "any" for row in others})
    return Literature(
        note=f"Published numbers of {model} on this data set ({_references(others)}) are of "
        f"another split or protocol ({', '.join(splits)}), so {_NONE}."
    )


def _references(rows: Iterable[Published]) -> str:
    return "; ".join(dict.fromkeys(row.ref for row in rows))


def _changes(outcome: RunOutcome, row: Result) -> str:
    """How a run differs from the full training of its pair's published settings."""
    assert outcome.effort is not None
    choices, done = outcome.task.record["choices"], outcome.effort.epochs
    recipe, *changes = row.recipe.split(", ", 1)
    told = list(changes)
    if choices.get("trainer", "default") != "default" or recipe.endswith(" without recipe"):
        told.insert(0, recipe)
    planned = outcome.cfg.trainer.get("max_epochs")
    if planned is not None and 0 < done < planned:
        told.append(f"ended after {done} of {planned} epochs")
    if outcome.tested.cut:
        told.append(f"tested on {outcome.tested.cut}")
    return ", ".join(told)
