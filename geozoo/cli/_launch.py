"""From the command line to runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from geozoo.cli._console import configure_logging
from geozoo.cli._ensemble import ensemble_arguments
from geozoo.cli._errors import FULL_ERROR, errors_shown
from geozoo.config import (
    CONFIG_NAME,
    ConfigError,
    forced_overrides,
    hydra_origins,
    plain_override,
    register_entries,
    use_own_folder,
)
from geozoo.config.arguments import options_first
from geozoo.config.keys import first_lines
from geozoo.report.screen import Screen
from geozoo.report.summary import ensemble_steps, show_sweep
from geozoo.report.write import report
from geozoo.runs.checkpoint_files import drop_unfinished
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.folder import RunFolder, command_line
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.paths import moved_files
from geozoo.runs.prepare import is_main_process, prepare
from geozoo.runs.resume import EarlierRun, folder_to_resume, relocate, resumed_config, stored_config
from geozoo.runs.training import train

#: Name of the command in records.
_PROGRAM = "geozoo-train"
_COMMAND = "geozoo train"


def _make_screen() -> Screen:
    """The screen, with logging configured; only rank 0 prints."""
    screen = Screen(is_quiet=not is_main_process())
    configure_logging(screen)
    return screen


def launch(arguments: Sequence[str]) -> None:
    """Start one run or a sweep, or resume a run.

    Args:
        arguments: the command line without the program name.
    """
    screen = _make_screen()
    with errors_shown(_COMMAND):
        arguments, folders = ensemble_arguments(arguments)
        command = command_line([_PROGRAM, *arguments])
        folder = folder_to_resume(arguments)
        if folder is not None:
            _resume(folder, arguments, command=command, screen=screen)
            return
        outcomes = _run_all([*arguments, *folders], command=command, screen=screen)
        if folders and is_main_process():
            for line in ensemble_steps(outcomes):
                screen.result(line)


class _Job:
    """One run of a config that Hydra composed, in this process or in one that a launcher starts.

    Args:
        command: the command line.

    Attributes:
        outcomes: outcomes of the runs of this process.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.outcomes: list[RunOutcome] = []
        self.process, self.full_error = os.getpid(), os.environ.get(FULL_ERROR)

    def __call__(self, cfg: DictConfig) -> None:
        """Run; an error ends the program, or is passed to the process that started the job."""
        screen = _make_screen()
        leaves = os.getpid() == self.process
        with _variable(FULL_ERROR, self.full_error), errors_shown(_COMMAND, leaves=leaves):
            self.outcomes.append(_run(cfg, command=self.command, screen=screen))


def _run_all(arguments: Sequence[str], *, command: str, screen: Screen) -> list[RunOutcome]:
    """Let Hydra compose the configs and run each; returns the outcomes of this process.

    Raises:
        ConfigError: If Hydra cannot compose the config.
    """
    import hydra
    from hydra.errors import HydraException

    register_entries()
    job = _Job(command)
    program = hydra.main(
        version_base="1.3", config_path="pkg://geozoo.configs", config_name=CONFIG_NAME
    )(job)
    # Otherwise Hydra would print errors in its own format and end the program.
    with _argv(options_first(forced_overrides(arguments))), _variable(FULL_ERROR, "1"):
        try:
            program()
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(first_lines(error)) from error
    if len(job.outcomes) > 1 and is_main_process():
        show_sweep(job.outcomes, screen)
    return job.outcomes


def _run(cfg: DictConfig, *, command: str, screen: Screen) -> RunOutcome:
    from hydra.core.hydra_config import HydraConfig

    use_own_folder(_own_folder())  # also in the processes that a launcher starts
    choices = _choices()
    names = str(choices["model"]), str(choices["dataset"])
    folder = RunFolder(prepare(cfg, names=names, origins=hydra_origins(CONFIG_NAME)))
    overrides = [plain_override(each) for each in HydraConfig.get().overrides.task]
    invocation = {"command": command, "choices": choices, "overrides": overrides}
    outcome = train(cfg, folder, invocation=invocation, is_terminal=screen.has_bars)
    report(outcome, screen)
    return outcome


def _own_folder() -> Path | None:
    """The folder given by ``--config-dir``."""
    from hydra.core.hydra_config import HydraConfig

    sources = HydraConfig.get().runtime.config_sources
    found = [each.path for each in sources if each.provider == "command-line"]
    return Path(found[0]) if found else None


def _choices() -> dict[str, str | None]:
    """The chosen entry of every group; None for a recipe that the pair does not have."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    known = GlobalHydra.instance().config_loader().get_group_options("recipe")
    return {
        group: None if group.startswith("recipe") and name not in known else name
        for group, name in HydraConfig.get().runtime.choices.items()
        if not group.startswith("hydra")
    }


def _resume(folder: RunFolder, arguments: Sequence[str], *, command: str, screen: Screen) -> None:
    checkpoint = read_checkpoint(folder.last)
    before = checkpoint.record  # includes the changes of earlier continuations
    invocation = {
        "command": f"{before['command']}; {command}",
        "choices": before["choices"],
        "overrides": [*before["overrides"], *(a for a in arguments if not a.startswith("resume="))],
    }
    cfg = stored_config(before["config"], folder.path)
    with moved_files(cfg, before["config"], folder.path):
        cfg = resumed_config(cfg, folder, arguments)
        if is_main_process():
            drop_unfinished(folder.checkpoints)
            relocate(folder, checkpoint)
        earlier, is_terminal = EarlierRun.of(checkpoint), screen.has_bars
        del checkpoint, before  # free the initial weights
        outcome = train(
            cfg, folder, invocation=invocation, earlier=earlier, is_terminal=is_terminal
        )
    report(outcome, screen)


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable, or unset it for None, and restore it at the end."""
    before = os.environ.get(name)
    try:
        _set(name, value)
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@contextmanager
def _argv(arguments: Sequence[str]) -> Iterator[None]:
    """Set ``sys.argv``, which Hydra and the launcher of Lightning read."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before
