"""Published numbers and recorded runs of a data set, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geozoo.contracts import measure_of
from geozoo.results.ledger import Run, read_ledger
from geozoo.results.published import Published, all_published
from geozoo.results.rows import Result


@dataclass(frozen=True)
class Line:
    """A method from the literature, or a recorded run.

    Attributes:
        name: what it is called.
        values: number by metric.
        deviations: standard deviation by metric, where there is one.
        protocol: how the data were divided and counted.
        source: where a published number stands, or how long a run took on what.
        run: id of the recorded run; empty for a published number.
    """

    name: str
    values: Mapping[str, float]
    deviations: Mapping[str, float]
    protocol: str
    source: str
    run: str = ""


@dataclass(frozen=True)
class BenchmarkTable:
    """All that is known of one problem.

    Attributes:
        title: data set and variant.
        units: unit by metric, in the order of the columns.
        lines: the rows, the best first by the first column.
    """

    title: str
    units: Mapping[str, str]
    lines: tuple[Line, ...]


def benchmark_tables(name: str, variants: Sequence[str] = ()) -> list[BenchmarkTable]:
    """A table for each variant of a data set.

    Args:
        name: a data set, or the beginning of several: ``pems``.
        variants: molecules, targets or variants; none: all of them.

    Raises:
        ValueError: when nothing is published or recorded under such a name.
    """
    ledger, published = read_ledger(), all_published()
    known = sorted({row.dataset for row in published} | {run.first.dataset for run in ledger})
    datasets = [d for d in known if d == name] or [d for d in known if d.startswith(name)]
    if not datasets:
        raise ValueError(f"there are no numbers of {name!r}; there are some of {', '.join(known)}")
    tables = []
    for dataset in datasets:
        rows = [row for row in published if row.dataset == dataset]
        runs = [run for run in ledger if run.first.dataset == dataset]
        names = {row.variant for row in rows} | {run.first.variant for run in runs}
        if unknown := set(variants) - names:
            raise ValueError(f"{dataset} has no {min(unknown)!r}, but {', '.join(sorted(names))}")
        tables += [
            _table(
                " ".join(filter(None, (dataset, variant))),
                [row for row in rows if row.variant == variant],
                [run for run in runs if run.first.variant == variant],
            )
            for variant in sorted(names)
            if not variants or variant in variants
        ]
    return tables


def _table(title: str, rows: Sequence[Published], runs: Sequence[Run]) -> BenchmarkTable:
    units = _columns(rows, [row for run in runs for row in run.results])
    lines = [_published_line(group) for group in _by_method(rows)]
    lines += [_run_line(run, units) for run in runs]
    first = next(iter(units))
    sign = -1.0 if measure_of(first).higher_is_better else 1.0

    def place(line: Line) -> float:
        return sign * line.values.get(first, sign * math.inf)

    return BenchmarkTable(title, units, tuple(sorted(lines, key=place)))


def _columns(rows: Sequence[Published], own: Sequence[Result]) -> dict[str, str]:
    """The metrics that are published; without any, those of the runs that say most."""
    units = {row.metric: row.unit for row in rows}
    if not units:
        units = {row.metric: row.unit for row in own if not row.is_detail}
    return units or {row.metric: row.unit for row in own}


def _by_method(rows: Sequence[Published]) -> list[list[Published]]:
    groups: dict[tuple[str, str, str], list[Published]] = {}
    for row in rows:
        groups.setdefault((row.method, row.split, row.ref), []).append(row)
    return list(groups.values())


def _published_line(rows: Sequence[Published]) -> Line:
    first = rows[0]
    return Line(
        first.method,
        {row.metric: row.value for row in rows},
        {row.metric: row.std for row in rows if row.std is not None},
        first.split,
        f"{first.ref} ({first.status})",
    )


def _run_line(run: Run, units: Mapping[str, str]) -> Line:
    rows = [row for row in run.results if units.get(row.metric) == row.unit]
    first = run.first
    seeds = len(first.seeds.split())
    length = first.training_length if first.is_trained else "no training"
    source = [f"{length} on {first.device}", first.tested]
    source += [f"{seeds} seeds"] if seeds > 1 else []
    return Line(
        run.label,
        {row.metric: row.value for row in rows},
        {row.metric: row.std for row in rows if row.std is not None},
        first.split,
        ", ".join(filter(None, source)),
        run.id,
    )
