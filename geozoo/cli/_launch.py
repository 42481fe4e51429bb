"""From the words of the command line to runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig
from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from geozoo.cli._folder import RunFolder, command_line
from geozoo.cli._options import RunError
from geozoo.cli._prepare import is_main_process, prepare
from geozoo.cli._quiet import quiet_lightning
from geozoo.cli._report import report
from geozoo.cli._resume import folder_to_resume, relocate, resumed_config
from geozoo.cli._summary import show_sweep
from geozoo.cli._training import Outcome, train
from geozoo.cli._words import forced, unknown_word
from geozoo.zoo import ConfigError, hydra_origins, register_entries

_CONFIG = "train"


def launch(words: Sequence[str]) -> None:
    """Run what the words say: one run, a sweep, or the continuation of a run.

    Args:
        words: the command line without the program's name.
    """
    console = Console(highlight=False, quiet=not is_main_process())
    _configure_logging(console)
    fault = unknown_word(words)
    if fault:
        _stop(console, fault)
    command = command_line(["geozoo-train", *words])
    with _faults_shown(console):
        folder = folder_to_resume(words)
        if folder is not None:
            _resume(folder, words, command=command, console=console)
            return
    _run_all(words, command=command, console=console)


def _run_all(words: Sequence[str], *, command: str, console: Console) -> None:
    """Let Hydra compose the configs and run each."""
    import hydra

    register_entries()
    outcomes: list[Outcome] = []

    def job(cfg: DictConfig) -> None:
        with _faults_shown(console):
            outcomes.append(_run(cfg, command=command, console=console))

    with _arguments(forced(words)):
        hydra.main(version_base="1.3", config_path="pkg://geozoo.configs", config_name=_CONFIG)(job)()
    if len(outcomes) > 1 and is_main_process():
        show_sweep(outcomes, console)


def _run(cfg: DictConfig, *, command: str, console: Console) -> Outcome:
    from hydra.core.hydra_config import HydraConfig

    choices = {
        group: name
        for group, name in HydraConfig.get().runtime.choices.items()
        if not group.startswith("hydra")
    }
    pair = f"{choices['model']}-{choices['dataset']}"
    folder = RunFolder(prepare(cfg, pair=pair, origins=hydra_origins(_CONFIG)))
    console.print(f"run folder: {folder.path}", soft_wrap=True)
    words = {"command": command, "choices": choices}
    outcome = train(cfg, folder, words=words, is_terminal=console.is_terminal)
    report(outcome, console)
    return outcome


def _resume(
    folder: RunFolder, words: Sequence[str], *, command: str, console: Console
) -> None:
    cfg = resumed_config(folder, words)
    if is_main_process():
        relocate(folder)
    before = folder.read_info()
    record = {"command": f"{before['command']}; {command}", "choices": before["choices"]}
    is_terminal = console.is_terminal
    outcome = train(cfg, folder, words=record, is_resumed=True, is_terminal=is_terminal)
    report(outcome, console)


@contextmanager
def _faults_shown(console: Console) -> Iterator[None]:
    """Faults that a user can mend end the program with their message, without a traceback."""
    try:
        yield
    except (ConfigError, RunError) as error:
        _stop(console, str(error))


@contextmanager
def _arguments(words: Sequence[str]) -> Iterator[None]:
    """Hydra and Lightning's launcher read ``sys.argv``."""
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


def _stop(console: Console, text: str) -> None:
    console.print(Text.assemble(("geozoo-train: ", "bold red"), text), soft_wrap=True)
    sys.exit(2)


def _configure_logging(console: Console) -> None:
    handler = RichHandler(console=console, show_path=False, show_level=False, log_time_format="%X")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("geozoo").setLevel(logging.INFO)
    quiet_lightning()
