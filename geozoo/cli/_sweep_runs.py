"""What the commands that train several models share: checked settings, and runs in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geozoo.cli._sweep_launcher import launched
from geozoo.config import ConfigError, check, check_pair, compose
from geozoo.config.arguments import wrong_argument
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.figures import Figure
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.errors import RunError, UsageError
from geozoo.runs.folder import command_line
from geozoo.sweeps.finished import FinishedRun, read_finished
from geozoo.sweeps.jobs import Job, run_jobs, training_job
from geozoo.sweeps.page import write_sweep


@dataclass(frozen=True)
class Starter:
    """How the runs of a sweep are started.

    Attributes:
        processes: how many at a time.
        launcher: launcher of Hydra; None: processes of this machine.
        options: its keys, ``hydra.launcher....``.
        screen: shows the progress.
    """

    processes: int
    launcher: str | None
    options: Sequence[str]
    screen: Screen

    def run(self, jobs: Sequence[Job]) -> dict[str, str]:
        """Run what is not done yet; the error of every failed job by name."""
        call = None if self.launcher is None else launched(self.launcher, self.options)
        return run_jobs(jobs, processes=self.processes, note=self.screen.note, call=call)


def parted(changes: Sequence[str], launcher: str | None) -> tuple[list[str], list[str]]:
    """The arguments of the runs, and the options of the launcher.

    Raises:
        UsageError: If options are given without a launcher.
    """
    options = [each for each in changes if each.startswith("hydra.launcher.")]
    if options and launcher is None:
        raise UsageError(f"{options[0].partition('=')[0]} needs launcher=, such as submitit_slurm")
    return [each for each in changes if each not in options], options


def refuse_set(changes: Sequence[str], keys: Sequence[str], command: str) -> None:
    """Reject keys that the command sets itself.

    Raises:
        UsageError: If one of them is given.
    """
    for each in changes:
        name = each.partition("=")[0].lstrip("+~")
        if name in keys:
            raise UsageError(f"{name} is set by {command} itself and cannot be given")


def checked(model: str, dataset: str, changes: Sequence[str]) -> Mapping[str, Any]:
    """The composed and checked config of a run, as plain values.

    Raises:
        UsageError: If an entry or a key is unknown.
        ConfigError: If a value is invalid, or the model does not fit the dataset.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from geozoo.config.keys import first_lines

    words = [f"model={model}", f"dataset={dataset}", *changes]
    if message := wrong_argument(words):
        raise UsageError(message)
    try:
        cfg = compose(*words, "run_dir=run")
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(first_lines(error)) from error
    check(cfg, root=RunOptions, provided=PROVIDED, open_nodes=("model",))
    check_pair(cfg.model, cfg.dataset, cfg.task, names=(model, dataset))
    plain = OmegaConf.to_container(cfg)
    assert isinstance(plain, dict)
    return {str(name): value for name, value in plain.items()}


def train_all(
    runs: Mapping[tuple[str, int], Sequence[str]], folder: Path, starter: Starter
) -> tuple[dict[tuple[str, int], FinishedRun], dict[str, str]]:
    """Train, resume or keep the runs of a sweep.

    Args:
        runs: arguments of ``geozoo train`` by group (a model, a size) and seed.
        folder: the folder of the sweep; a run is in ``<group>/seed<seed>``.
        starter: how they are started.

    Returns:
        The finished runs, and the error of each group with a failed one.
    """
    jobs = {}
    for (group, seed), words in runs.items():
        place = folder / group / f"seed{seed}"
        if (place / "result.csv").is_file():
            continue
        jobs[f"{group}, seed {seed}"] = training_job(
            f"{group}, seed {seed}", place, [*words, f"seed={seed}"]
        )
    failed = starter.run(list(jobs.values()))
    errors = {
        name.rpartition(", ")[0]: f"{name.rpartition(', ')[2]}: {text}"
        for name, text in failed.items()
    }
    finished = {
        (group, seed): read_finished(folder / group / f"seed{seed}", seed)
        for group, seed in runs
        if (folder / group / f"seed{seed}" / "result.csv").is_file()
    }
    return finished, errors


def show_report(
    screen: Screen, folder: Path, name: str, *, title: str, sheet: Sheet, answer: str,
    warnings: Sequence[str], figures: Sequence[Figure], facts: Mapping[str, str],
    values: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write the files of a finished sweep, and print its table and answer.

    The arguments are those of `geozoo.sweeps.page.write_sweep`, whose command is this one.
    """
    files = write_sweep(
        folder, name, title=title, command=command_line(["geozoo", *sys.argv[1:]]), sheet=sheet,
        answer=answer, warnings=warnings, figures=figures, facts=facts, values=values,
    )  # fmt: skip
    screen.show(sheet)
    for line in warnings:
        screen.note(f"note: {line}")
    screen.result(answer, style="bold")
    for path in files:
        screen.result(path)


def refuse_nothing(finished: Sequence[FinishedRun], errors: Sequence[str]) -> None:
    """End with an error if no run of a sweep has a result.

    Raises:
        RunError: With the first error.
    """
    if not finished:
        raise RunError(f"no run finished; the first error: {next(iter(errors), 'none')}")


def read_json(path: Path) -> Any:
    """A JSON file of a sweep."""
    return json.loads(path.read_text(encoding="utf-8"))
