"""``geozoo``: every command of the zoo."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from geozoo import __version__
from geozoo.cli import (
    _arguments,
    _own_arguments,
    _simulation_arguments,
    _sweep_arguments,
    _teaching_arguments,
)
from geozoo.cli._errors import errors_shown
from geozoo.cli._grammar import Arguments, help_text, read
from geozoo.cli._programs import program_file
from geozoo.config import did_you_mean
from geozoo.machine.freed_memory import keep_freed_memory
from geozoo.runs.errors import UsageError

_PROGRAM = "geozoo"
_HELP = ("-h", "--help")
#: Commands that are also programs, which Lightning starts again for each further process.
_PROGRAMS = ("train", "evaluate", "sample")


@dataclass(frozen=True)
class _Command:
    """A command.

    Attributes:
        arguments: class of its arguments, whose docstring describes the command.
        module: name of its module in ``geozoo.cli``, imported when the command runs.
        function: name of the function that takes the arguments and a screen.
        runs_network: whether it keeps freed memory, see `geozoo.machine.freed_memory`.
    """

    arguments: type[Arguments]
    module: str
    function: str
    runs_network: bool = False


_COMMANDS = {
    "evaluate": _Command(_arguments.Evaluate, "_evaluation", "evaluate", runs_network=True),
    "sample": _Command(_arguments.Sample, "_sample", "sample", runs_network=True),
    "predict": _Command(_arguments.Predict, "_predicting", "predict", runs_network=True),
    "compare": _Command(_sweep_arguments.Compare, "_comparing", "compare"),
    "learning-curve": _Command(_sweep_arguments.LearningCurve, "_learning_curve", "learning_curve"),
    "label": _Command(_teaching_arguments.Label, "_labelling", "label", runs_network=True),
    "distil": _Command(_teaching_arguments.Distil, "_distilling", "distil", runs_network=True),
    "relax": _Command(_simulation_arguments.Relax, "_relaxing", "relax", runs_network=True),
    "md": _Command(_simulation_arguments.Dynamics, "_moving", "move", runs_network=True),
    "vibrations": _Command(
        _simulation_arguments.Vibrations, "_vibrating", "vibrations", runs_network=True
    ),
    "uncertainty": _Command(
        _arguments.Uncertainty, "_uncertainty", "uncertainty", runs_network=True
    ),
    "export": _Command(_arguments.Export, "_commands", "export"),
    "publish": _Command(_arguments.Publish, "_publishing", "publish"),
    "diff": _Command(_arguments.Diff, "_comparing_models", "diff", runs_network=True),
    "test-model": _Command(_own_arguments.TestModel, "_own_classes", "test_model"),
    "test-dataset": _Command(_own_arguments.TestDataset, "_own_classes", "test_dataset"),
    "list": _Command(_arguments.List, "_commands", "list_entries"),
    "table": _Command(_arguments.Table, "_commands", "table"),
    "results": _Command(_arguments.Results, "_commands", "results"),
    "reproduce": _Command(_arguments.Reproduce, "_commands", "reproduce"),
    "record": _Command(_arguments.Record, "_commands", "record"),
    "cards": _Command(_arguments.Cards, "_commands", "cards"),
}
_TRAIN = "Train a model; see geozoo train --help for its keys."


def main() -> None:
    """Read the command line and run its command."""
    argv = sys.argv[1:]
    if argv and argv[0] in _HELP:
        sys.stdout.write(_list_of_commands())
        return
    if argv and argv[0] == "--version":
        sys.stdout.write(f"{_PROGRAM} {__version__}\n")
        return
    with errors_shown(_PROGRAM):
        name, *rest = _with_command(argv)
    if name in _PROGRAMS:
        sys.argv = [program_file(name), *rest]
    if name == "train":
        import_module("geozoo.cli.train").main()
        return
    run_command(name, rest)


def run_command(name: str, argv: Sequence[str]) -> None:
    """Run a command; an error ends the program, see `geozoo.cli._errors.errors_shown`.

    Args:
        name: name of the command, any except ``train``.
        argv: its arguments.
    """
    program, command = f"{_PROGRAM} {name}", _COMMANDS[name]
    if set(_HELP) & set(argv):
        sys.stdout.write(help_text(command.arguments, program))
        return
    with errors_shown(program):
        arguments = read(command.arguments, argv, program)
        if command.runs_network:
            keep_freed_memory()
        from geozoo.report.screen import Screen

        function = getattr(import_module(f"geozoo.cli.{command.module}"), command.function)
        function(arguments, Screen())


def _with_command(argv: list[str]) -> list[str]:
    """The arguments, after a check that the first one is a command."""
    known = ["train", *_COMMANDS]
    if not argv:
        raise UsageError(f"missing: command. Known: {', '.join(known)}.")
    if argv[0] not in known:
        hint = did_you_mean(argv[0], known)
        raise UsageError(f"unknown command {argv[0]!r}.{hint} Known: {', '.join(known)}.")
    return argv


def _list_of_commands() -> str:
    rows = {"train": _TRAIN}
    rows |= {name: str(each.arguments.__doc__) for name, each in _COMMANDS.items()}
    width = max(map(len, rows))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in rows.items()]
    head = (
        f"usage: {_PROGRAM} command [key=value ...]    ({_PROGRAM} command --help lists its keys)"
    )
    return "\n".join([head, "", *lines, "", f"{_PROGRAM} --version prints the version."]) + "\n"


if __name__ == "__main__":
    main()
