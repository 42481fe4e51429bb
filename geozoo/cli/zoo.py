"""``geozoo-zoo``: list the entries, record finished runs, regenerate the results tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from geozoo.zoo import entries, recipes, zoo_folder

_PROGRAM = "geozoo-zoo"


def main() -> None:
    """Read the command line and do what it says."""
    options = _parser().parse_args(sys.argv[1:])
    console = Console(highlight=False)
    try:
        if options.command == "list":
            show_entries(console)
        elif options.command == "record":
            written = record([Path(run) for run in options.runs])
            console.print(f"recorded in {written}", soft_wrap=True)
        else:
            changed = write_tables()
            console.print("\n".join(map(str, changed)) or "all tables are current")
    except (ValueError, OSError) as error:
        console.print(f"{_PROGRAM}: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


def show_entries(console: Console) -> None:
    """Print models, data sets and recipes."""
    table = Table("kind", "name", "what", box=None, padding=(0, 2))
    for kind in ("model", "dataset"):
        for entry in entries(kind):  # type: ignore[arg-type]
            table.add_row(kind, entry.name, entry.summary)
    for recipe in recipes():
        table.add_row("recipe", recipe.name, f"recipes/{recipe.path.name} of {recipe.model}")
    console.print(table)


def record(runs: Sequence[Path]) -> Path:
    """Append finished runs to the results of their model; runs of several seeds make one row.

    Args:
        runs: run folders that differ in the seed alone.

    Returns:
        The file written.

    Raises:
        ValueError: when a folder holds no result, or the runs do not belong together.
    """
    from geozoo.cli._recording import record_runs

    return record_runs(runs)


def write_tables() -> list[Path]:
    """Regenerate the tables of models and data sets where results have changed.

    Returns:
        The cards written.
    """
    from geozoo.zoo.comparison import current_dataset_card
    from geozoo.zoo.tables import current_card

    wanted = [(entry, current_card(entry.folder)) for entry in entries("model")]
    wanted += [
        (entry, text) for entry in entries("dataset") if (text := current_dataset_card(entry))
    ]
    changed = []
    for entry, text in wanted:
        card = entry.folder / "README.md"
        if text != card.read_text(encoding="utf-8"):
            card.write_text(text, encoding="utf-8")
            changed.append(card.relative_to(zoo_folder()))
    return changed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(_PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="models, data sets and recipes")
    recording = commands.add_parser("record", help="append finished runs to the results of a model")
    recording.add_argument("runs", nargs="+", help="run folders that differ in the seed alone")
    commands.add_parser("table", help="regenerate the results tables of the cards")
    return parser
