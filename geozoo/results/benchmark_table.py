"""Published numbers and recorded runs on a dataset, side by side."""

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
        name: display name.
        values: value by metric.
        deviations: standard deviation by metric, where known.
        protocol: how the data were split and evaluated.
        source: reference of a published number, or training time and hardware of a run.
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
    """All published and recorded results on one benchmark.

    Attributes:
        title: dataset and variant.
        units: unit by metric, in column order.
        lines: the rows, sorted by the first metric, best first.
    """

    title: str
    units: Mapping[str, str]
    lines: tuple[Line, ...]


def benchmark_tables(name: str, variants: Sequence[str] = ()) -> list[BenchmarkTable]:
    """One table per variant of a dataset.

    Args:
        name: a dataset, or a common prefix of several: ``pems``.
        variants: molecules, targets or variants; empty: all of them.

    Raises:
        ValueError: If there are no published or recorded results for that name.
    """
    ledger, published = read_ledger(), all_published()
    known = sorted({row.dataset for row in published} | {run.first.dataset for run in ledger})
    datasets = [d for d in known if d == name] or [d for d in known if d.startswith(name)]
    if not datasets:
        raise ValueError(f"no results for the dataset {name!r}; available: {', '.join(known)}")
    tables = []
    for dataset in datasets:
        rows = [row for row in published if row.dataset == dataset]
        runs = [run for run in ledger if run.first.dataset == dataset]
        names = {row.variant for row in rows} | {run.first.variant for run in runs}
        if unknown := set(variants) - names:
            raise ValueError(
                f"no results for the variant {min(unknown)!r} of {dataset}; available: "
                f"{', '.join(sorted(names))}"
            )
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

    def rank(line: Line) -> float:
        return sign * line.values.get(first, sign * math.inf)

    return BenchmarkTable(title, units, tuple(sorted(lines, key=rank)))


def _columns(rows: Sequence[Published], own: Sequence[Result]) -> dict[str, str]:
    """Units of the published metrics; if there are none, of the headline metrics of the runs."""
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
