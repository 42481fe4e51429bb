"""``geozoo compare``: several models trained for an equal time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geozoo.cli._console import configure_logging
from geozoo.cli._sweep_arguments import Compare
from geozoo.cli._sweep_runs import (
    Starter,
    checked,
    parted,
    read_json,
    refuse_nothing,
    refuse_set,
    show_report,
    train_all,
)
from geozoo.config import ConfigError, all_entries
from geozoo.report.screen import Screen
from geozoo.runs.errors import UsageError
from geozoo.runs.probe import StepTime
from geozoo.sweeps.comparison import Contender, EqualTime
from geozoo.sweeps.jobs import Job
from geozoo.sweeps.page import comparison_figures
from geozoo.sweeps.plan import plan_training
from geozoo.sweeps.settings import claim_folder, only_one

#: Keys that the comparison sets.
_SET = (
    "seed", "runs", "run_dir", "test", "trainer.max_epochs", "trainer.max_time",
    "trainer.max_steps", "trainer.limit_train_batches", "trainer.check_val_every_n_epoch",
    "schedule.milestones", "schedule.warmup_epochs",
)  # fmt: skip
#: Time to measure steps, as a fraction of that of a run; limits in seconds.
_PROBE_SHARE, _LEAST_PROBE, _MOST_PROBE = 0.05, 1.0, 30.0


def compare(options: Compare, screen: Screen) -> None:
    """Measure, train, test and report; an interrupted call is continued by the same command.

    Raises:
        UsageError: If a name or a key is unknown.
        ConfigError: If no model fits the dataset and the keys.
        RunError: If the folder holds another comparison.
    """
    changes, of_launcher = parted(options.changes, options.launcher)
    refuse_set(changes, _SET, "the comparison")
    configs, errors = _configs(options, changes)
    folder = options.out or Path(f"runs/compare-{options.dataset}").absolute()
    configure_logging(screen, has_clock=False)
    claim_folder(folder, {
        "command": "compare", "dataset": options.dataset, "minutes": options.minutes,
        "clock": options.clock, "changes": sorted(changes),
    })  # fmt: skip
    starter = Starter(options.processes, options.launcher, of_launcher, screen)
    words = {name: [f"model={name}", f"dataset={options.dataset}", *changes] for name in configs}
    with only_one(folder):
        costs, failed = _measured(words, options, folder, starter)
        lengths, short = _lengths(costs, configs, options.minutes, screen)
        runs = {
            (name, seed): [*words[name], *length]
            for name, length in lengths.items()
            for seed in range(options.seeds)
        }
        finished, broken = train_all(runs, folder, starter)
    errors = {**errors, **failed, **short, **broken}
    contenders = [
        Contender(
            name=name, cost=costs.get(name), error=errors.get(name, ""),
            runs=[run for (model, _), run in finished.items() if model == name],
        )
        for name in (*configs, *(each for each in errors if each not in configs))
    ]  # fmt: skip
    found = EqualTime(minutes=options.minutes, contenders=contenders, metric=options.metric)
    _report(options, found, folder, screen)
    refuse_nothing(found.runs, list(errors.values()))


def _configs(
    options: Compare, changes: Sequence[str]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """The config of every model that fits, and the errors of the others.

    ``models=all`` are those of the zoo and the user's own; those that do not fit are left out.
    """
    names = list(dict.fromkeys(options.models))
    if not names:
        raise UsageError("models: expected names, or all")
    is_all = names == ["all"]
    configs: dict[str, Mapping[str, Any]] = {}
    errors: dict[str, ConfigError] = {}
    for name in [entry.name for entry in all_entries("model")] if is_all else names:
        try:
            configs[name] = checked(name, options.dataset, changes)
        except ConfigError as error:
            errors[name] = error
    if not configs:
        raise next(iter(errors.values()))
    return configs, {} if is_all else {name: str(error) for name, error in errors.items()}


def _measured(
    words: Mapping[str, Sequence[str]], options: Compare, folder: Path, starter: Starter
) -> tuple[dict[str, StepTime], dict[str, str]]:
    """The cost of each model, measured one after the other; kept for continuations."""
    seconds = min(max(_PROBE_SHARE * 60 * options.minutes, _LEAST_PROBE), _MOST_PROBE)
    jobs = {
        name: Job(
            name=f"{name}, time per step", log=folder / name / "step_time.log",
            words=(
                "-m", "geozoo.cli._step_probe", str(folder / name / "step_time.json"),
                str(seconds), options.clock, *arguments,
            ),
            product=folder / name / "step_time.json",
        )
        for name, arguments in words.items()
    }  # fmt: skip
    errors = replace(starter, processes=1).run(list(jobs.values()))
    costs = {name: StepTime(**read_json(job.product)) for name, job in jobs.items() if job.is_done}
    return costs, {name: errors[job.name] for name, job in jobs.items() if job.name in errors}


def _lengths(
    costs: Mapping[str, StepTime], configs: Mapping[str, Mapping[str, Any]], minutes: float,
    screen: Screen,
) -> tuple[dict[str, list[str]], dict[str, str]]:  # fmt: skip
    """The arguments for the length of each model's runs, and the errors of those too slow."""
    lengths: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    for name, cost in costs.items():
        lengths[name] = []
        if not cost.is_trained:
            continue
        try:
            plan = plan_training(cost, 60 * minutes)
        except ValueError as error:
            errors[name] = str(error)
            del lengths[name]
            continue
        config = configs[name]
        lengths[name] = plan.arguments(config["trainer"], config["schedule"] or {})
        screen.note(
            f"{name}: {cost.step_s:.3g} s per step ({cost.clock} time), so {plan.steps:,} steps in "
            f"{plan.epochs} epochs"
        )
    return lengths, errors


def _report(options: Compare, found: EqualTime, folder: Path, screen: Screen) -> None:
    """Print and write the table and the answer."""
    sheet, answer, uneven = found.sheet(), found.answer(), found.uneven()
    clocks = {each.cost.clock for each in found.contenders if each.cost is not None}
    facts = {
        "dataset": " ".join([options.dataset, *options.changes]), "time": found.budget,
        "clock": " and ".join(sorted(clocks)) + " time, validation included",
        "data": "; ".join(sorted({run.split for run in found.runs})),
        "device": "; ".join(sorted({run.device for run in found.runs})),
        "folder": str(folder),
    }  # fmt: skip
    show_report(
        screen, folder, "compare", title=f"Comparison on {options.dataset}", sheet=sheet,
        answer=answer, warnings=uneven, figures=comparison_figures(found), facts=facts,
        values=found.to_dict(),
    )  # fmt: skip
