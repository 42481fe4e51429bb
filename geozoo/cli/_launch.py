"""From the command line to runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from geozoo.cli._console import configure_logging
from geozoo.cli._ensemble_words import ensemble_words
from geozoo.cli._errors import FULL_ERROR, errors_shown
from geozoo.config import (
    CONFIG_NAME,
    ConfigError,
    forced_words,
    hydra_origins,
    plain_word,
    register_entries,
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

#: As a record spells the command.
_PROGRAM = "geozoo-train"
_COMMAND = "geozoo train"


def _make_screen() -> Screen:
    """The screen of the process that writes, with our own messages on it."""
    screen = Screen(is_quiet=not is_main_process())
    configure_logging(screen)
    return screen


def launch(words: Sequence[str]) -> None:
    """Run what the words say: one run, a sweep, or the continuation of a run.

    Args:
        words: the command line without the program's name.
    """
    screen = _make_screen()
    with errors_shown(_COMMAND):
        words, places = ensemble_words(words)
        command = command_line([_PROGRAM, *words])
        folder = folder_to_resume(words)
        if folder is not None:
            _resume(folder, words, command=command, screen=screen)
            return
        outcomes = _run_all([*words, *places], command=command, screen=screen)
        if places and is_main_process():
            for line in ensemble_steps(outcomes):
                screen.result(line)


class _Job:
    """One run of a config that Hydra composed, in this process or, by a launcher, in another.

    Args:
        command: the command line.

    Attributes:
        outcomes: of the runs of this process.
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self.outcomes: list[RunOutcome] = []
        self.process, self.full_error = os.getpid(), os.environ.get(FULL_ERROR)

    def __call__(self, cfg: DictConfig) -> None:
        """Run it; an error ends the program, or is handed to the process that started the job."""
        screen = _make_screen()
        leaves = os.getpid() == self.process
        with _variable(FULL_ERROR, self.full_error), errors_shown(_COMMAND, leaves=leaves):
            self.outcomes.append(_run(cfg, command=self.command, screen=screen))


def _run_all(words: Sequence[str], *, command: str, screen: Screen) -> list[RunOutcome]:
    """Let Hydra compose the configs and run each; the outcomes of this process.

    Raises:
        ConfigError: for what Hydra cannot compose.
    """
    import hydra
    from hydra.errors import HydraException

    register_entries()
    job = _Job(command)
    program = hydra.main(
        version_base="1.3", config_path="pkg://geozoo.configs", config_name=CONFIG_NAME
    )(job)
    # Otherwise Hydra would print errors in its own way and end the program.
    with _arguments(options_first(forced_words(words))), _variable(FULL_ERROR, "1"):
        try:
            program()
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(first_lines(error)) from error
    if len(job.outcomes) > 1 and is_main_process():
        show_sweep(job.outcomes, screen)
    return job.outcomes


def _run(cfg: DictConfig, *, command: str, screen: Screen) -> RunOutcome:
    from hydra.core.hydra_config import HydraConfig

    choices = _choices()
    names = str(choices["model"]), str(choices["dataset"])
    folder = RunFolder(prepare(cfg, names=names, origins=hydra_origins(CONFIG_NAME)))
    overrides = [plain_word(word) for word in HydraConfig.get().overrides.task]
    words = {"command": command, "choices": choices, "overrides": overrides}
    outcome = train(cfg, folder, words=words, is_terminal=screen.has_bars)
    report(outcome, screen)
    return outcome


def _choices() -> dict[str, str | None]:
    """The entry of every group; a recipe that the pair does not have is None."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    known = GlobalHydra.instance().config_loader().get_group_options("recipe")
    return {
        group: None if group.startswith("recipe") and name not in known else name
        for group, name in HydraConfig.get().runtime.choices.items()
        if not group.startswith("hydra")
    }


def _resume(folder: RunFolder, words: Sequence[str], *, command: str, screen: Screen) -> None:
    checkpoint = read_checkpoint(folder.last)
    before = checkpoint.record  # with what earlier continuations changed
    record = {
        "command": f"{before['command']}; {command}",
        "choices": before["choices"],
        "overrides": [*before["overrides"], *(w for w in words if not w.startswith("resume="))],
    }
    cfg = stored_config(before["config"], folder.path)
    with moved_files(cfg, before["config"], folder.path):
        cfg = resumed_config(cfg, folder, words)
        if is_main_process():
            drop_unfinished(folder.checkpoints)
            relocate(folder, checkpoint)
        earlier, is_terminal = EarlierRun.of(checkpoint), screen.has_bars
        del checkpoint, before  # a training need not hold its first weights
        outcome = train(cfg, folder, words=record, earlier=earlier, is_terminal=is_terminal)
    report(outcome, screen)


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Set or, for None, unset a variable of the environment."""
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
def _arguments(words: Sequence[str]) -> Iterator[None]:
    """Hydra and Lightning's launcher read ``sys.argv``."""
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before
