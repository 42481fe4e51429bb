"""``geozoo``: everything that the zoo does, one word each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

_PROGRAM = "geozoo"
#: Programs of their own, which read the remaining words themselves.
_PROGRAMS = {
    "train": "train a model: the words of train.py",
    "evaluate": "test a checkpoint again",
    "sample": "draw molecules from a checkpoint",
}


def main() -> None:
    """Read the command line and do what it says."""
    words = sys.argv[1:]
    if words and words[0] in _PROGRAMS:
        sys.argv = [f"{_PROGRAM}-{words[0]}", *words[1:]]
        import_module(f"geozoo.cli.{words[0]}").main()
        return
    options = _parser().parse_args(words)
    console = Console(highlight=False)
    try:
        options.run(options, console)
    except (ValueError, OSError, ImportError) as error:
        console.print(f"{_PROGRAM}: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


def _list(options: argparse.Namespace, console: Console) -> None:
    from geozoo.cli._listing import show_entries

    show_entries(console)


def _record(options: argparse.Namespace, console: Console) -> None:
    from geozoo.cli._recording import record_runs

    written = record_runs([Path(run) for run in options.runs])
    console.print(f"recorded in {written}", soft_wrap=True)


def _cards(options: argparse.Namespace, console: Console) -> None:
    from geozoo.cli._listing import write_cards

    console.print("\n".join(map(str, write_cards())) or "all cards are current")


def _publish(options: argparse.Namespace, console: Console) -> None:
    from geozoo.cli._publishing import publish

    publish(options.run_folder, options.out, options.name, options.licence, console)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(_PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in _PROGRAMS.items():
        commands.add_parser(name, help=what, add_help=False)
    _add(commands, "list", _list, "models, data sets and recipes")
    record = _add(commands, "record", _record, "append finished runs to the results of a model")
    record.add_argument("runs", nargs="+", help="run folders that differ in the seed alone")
    _add(commands, "cards", _cards, "regenerate the results tables of the cards")
    publish = _add(commands, "publish", _publish, "make a trained model of a finished run")
    publish.add_argument("run_folder", metavar="run", help="run folder; its best checkpoint")
    publish.add_argument("--out", help="folder to make; default: ./<name>")
    publish.add_argument("--name", help="default: the model and its data")
    publish.add_argument("--licence", default="MIT", help="of the weights; default: MIT")
    return parser


def _add(
    commands: argparse._SubParsersAction, name: str,
    run: Callable[[argparse.Namespace, Console], None], what: str, epilog: Sequence[str] = (),
) -> argparse.ArgumentParser:  # fmt: skip
    parser = commands.add_parser(
        name, help=what, description=what, epilog="\n".join(epilog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser
