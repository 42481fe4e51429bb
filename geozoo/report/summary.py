"""The summary at the end of a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from rich.text import Text

from geozoo.data import DataRecord
from geozoo.data.traffic.protocol import PARTS
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet, facts
from geozoo.runs.durations import duration
from geozoo.runs.folder import RunFolder
from geozoo.runs.outcome import RunOutcome

#: Units that a metric is also shown in, with the factor: exact since the SI of 2019.
_OTHER_UNITS = {"meV/angstrom^3": ((0.1602176634, "GPa"),)}


def show_summary(outcome: RunOutcome, screen: Screen, *, is_saved: bool = True) -> None:
    """Print the summary, and save it in the run folder.

    Args:
        outcome: the finished run.
        screen: screen that prints it.
        is_saved: whether to write ``summary.txt``.
    """
    after = next_steps(outcome) if is_saved else _folder_lines(outcome)
    for line in [*summary(outcome, screen.width), *after]:
        screen.result(line)
    if is_saved:
        text = "\n".join(map(str, [*summary(outcome, None), *after]))
        assert outcome.folder is not None
        outcome.folder.summary.write_text(text + "\n", encoding="utf-8")


def summary(outcome: RunOutcome, width: int | None) -> list[Text]:
    """Metrics in physical units, key facts of the run, and its files.

    Args:
        outcome: the finished run.
        width: width of the screen in characters; None: there is no screen.
    """
    further = _titled(baseline_rows(outcome), "baselines on the test set")
    parts = _titled(part_rows(outcome), "parts of the test set")
    sheets = [_metrics(outcome), *further, *parts, facts(*run_facts(outcome))]
    sheets += [] if outcome.folder is None else [_files(outcome.folder)]
    return [line for sheet in sheets for line in [*sheet.lines(width), Text()]]


def next_steps(outcome: RunOutcome) -> list[str]:
    """The run folder, and commands for the next steps."""
    if outcome.folder is None:
        return []
    run = shlex.quote(_short(outcome.folder.path))
    test = f"geozoo evaluate {run}" if outcome.is_tested else f"geozoo evaluate {run} save=true"
    commands = [test, outcome.task.usage(run).command, f"geozoo publish {run}"]
    return [*_folder_lines(outcome), "next steps:", *(f"  {each}" for each in commands)]


def ensemble_steps(outcomes: Sequence[RunOutcome]) -> list[str]:
    """Commands that use the members of one folder as one model; none for generative models.

    Args:
        outcomes: outcomes of all members.
    """
    tasks = {each.folder.path.parent: each.task for each in outcomes if each.folder is not None}
    commands = [
        f"  {task.usage(shlex.quote(_short(folder))).command}"
        for folder, task in tasks.items()
        if task.forms_ensembles
    ]
    return ["use the members as an ensemble:", *commands] if commands else []


def _folder_lines(outcome: RunOutcome) -> list[str]:
    folder = outcome.folder
    return [] if folder is None else ["run folder:", _short(folder.path)]


def title(outcome: RunOutcome) -> str:
    """Model and dataset."""
    return f"{type(outcome.task.model).__name__} on {outcome.task.spec.record.dataset or 'data'}"


def run_facts(outcome: RunOutcome) -> list[tuple[str, str]]:
    """Key facts of the run: names and values."""
    tested, effort, network = outcome.tested, outcome.effort, type(outcome.task.model).__name__
    known = [
        ("data", _data_facts(outcome.task.spec.record)),
        ("model", f"{network}, {tested.parameters:,} parameters"),
    ]
    cut = f"; PARTIAL TEST SET: {tested.cut}" if tested.cut else ""
    note = [("note", tested.note)] if tested.note else []
    if effort is None:
        weights = f"{tested.checkpoint}, {duration(tested.seconds)}{cut}"
        return [*known, ("tested", weights), *note]
    of_part = f"PARTIAL VALIDATION SET: {outcome.val_cut}"
    epoch = f", from epoch {tested.best_epoch}" if tested.best_epoch else ""
    return [
        *known,
        (
            "training",
            f"{effort.epochs} epochs, {effort.steps:,} steps, "
            f"{duration(effort.train_time_s)} on {effort.device}",
        ),
        ("memory", f"{effort.peak_memory_mb:,.0f} MB peak"),
        *([("validated", of_part)] if outcome.val_cut and outcome.val else []),
        _test_fact(outcome, f"{tested.checkpoint}{epoch}{cut}"),
        *note,
    ]


def _test_fact(outcome: RunOutcome, weights: str) -> tuple[str, str]:
    """The tested checkpoint, or a note that no test was run."""
    if outcome.is_tested:
        return "tested", weights
    kind = "best" if outcome.tested.checkpoint == "best.ckpt" else "last"
    return "test", f"not tested; {kind} checkpoint {weights}"


def metric_rows(outcome: RunOutcome) -> list[tuple[str, str, str, str, str]]:
    """Name, test, validation and baseline value, and unit of every metric."""
    tests = outcome.tested.metrics, outcome.val, outcome.tested.baseline
    rows = []
    for name, unit in outcome.task.metric_units().items():
        for factor, shown in ((1.0, unit), *_OTHER_UNITS.get(unit, ())):
            first, second, third = (_number(values.get(name), factor) for values in tests)
            rows.append((name, first, second, third, shown))
    return rows


def part_metrics(outcome: RunOutcome) -> dict[str, str]:
    """Unit of each test metric that a named part of the test set has; empty without parts."""
    parts = outcome.tested.parts.values()
    units = outcome.task.metric_units()
    return {name: unit for name, unit in units.items() if any(name in each for each in parts)}


def part_rows(outcome: RunOutcome) -> list[tuple[str, ...]]:
    """The test metrics of each named part of the test set; a head first, empty without parts."""
    units = part_metrics(outcome)
    if not units:
        return []
    head = ("test file", *(f"{name} ({unit})" for name, unit in units.items()))
    parts = outcome.tested.parts.items()
    return [
        head,
        *((part, *(_number(values.get(name)) for name in units)) for part, values in parts),
    ]


def baseline_rows(outcome: RunOutcome) -> list[tuple[str, ...]]:
    """The test metrics of model and all baselines; a head first, empty with one baseline."""
    tested, units = outcome.tested, outcome.task.metric_units()
    if not tested.further:
        return []
    head = ("", *(f"{name} ({unit})" for name, unit in units.items()))
    every = {"model": tested.metrics, "baseline": tested.baseline, **tested.further}
    return [
        head,
        *(
            (name.replace("_", " "), *(_number(values.get(each)) for each in units))
            for name, values in every.items()
        ),
    ]


def show_sweep(outcomes: Sequence[RunOutcome], screen: Screen) -> None:
    """Print one line per run of a sweep, and the mean and standard deviation over its runs."""
    units = outcomes[0].task.metric_units()
    names = [name for name in units if all(name in outcome.tested.metrics for outcome in outcomes)]
    if not names:  # nothing was tested
        return
    table = Sheet("run", *(f"{name} ({units[name]})" for name in names), title="test metrics")
    for outcome in outcomes:
        numbers = (_number(outcome.tested.metrics[name]) for name in names)
        assert outcome.folder is not None
        table.add(outcome.folder.path.name, *numbers)
    spread = []
    for name in names:
        values = [outcome.tested.metrics[name] for outcome in outcomes]
        spread.append(f"{mean(values):.5g} ± {_spread(stdev(values))}")
    table.add("mean ± standard deviation", *spread, style="bold")
    screen.show(table)


def _titled(rows: list[tuple[str, ...]], title: str) -> list[Sheet]:
    """A table of a head and rows; none without rows."""
    if not rows:
        return []
    table = Sheet(*rows[0], title=title)
    for row in rows[1:]:
        table.add(*row)
    return [table]


def _metrics(outcome: RunOutcome) -> Sheet:
    names = ("metric", "test", "validation", "baseline", "unit")
    table = Sheet(*names, title=title(outcome))
    for name, *values, unit in metric_rows(outcome):
        is_chosen = outcome.task.monitor == f"val/{name}"
        table.add(name, *values, unit, style="bold" if is_chosen else "")
    return table


def _files(folder: RunFolder) -> Sheet:
    pictures = sorted(path.name for path in folder.path.glob("*.png"))
    page = f"{folder.page.name}, a self-contained report" if folder.page.is_file() else ""
    tables = (path for path in (folder.parts, folder.sizes) if path.is_file())
    further = "".join(f"{path.name}, " for path in tables)
    files = {
        "weights": ", ".join(
            f"checkpoints/{path.name}" for path in (folder.best, folder.last) if path.is_file()
        ),
        "curves": ", ".join(["metrics.csv", *pictures]),
        "page": page,
        "record": f"config.yaml, run.json, splits.npz, result.csv, {further}summary.txt",
    }
    return facts(*((name, text) for name, text in files.items() if text))


def _short(path: Path) -> str:
    """The path relative to the working directory, unless that reads as an option or a key."""
    here = Path.cwd()
    text = str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
    is_key = "=" in text.partition("/")[0]
    return str(path) if is_key or text.startswith(("-", "~")) else text


def _data_facts(record: DataRecord) -> str:
    parts = [record.variant, record.molecule, record.source, record.split]
    counts = [f"{record.sizes[part]} {part}" for part in PARTS if part in record.sizes]
    hashed = [f"split {record.split_hash[:12]}"] if record.split_hash else []
    sizes = [" / ".join(counts)] if counts else []
    return "; ".join([str(part) for part in parts if part] + sizes + hashed)


def _spread(value: float) -> str:
    """A standard deviation with two significant digits, without exponent if possible.

    >>> _spread(544.3), _spread(0.0123)
    ('540', '0.012')
    """
    return f"{float(f'{value:.2g}'):.6g}"


def _number(value: float | None, factor: float = 1.0) -> str:
    return "-" if value is None else f"{value * factor:.5g}"
