"""The small commands; larger ones have modules of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.runs.arguments import check_not_input, check_writable
from geozoo.runs.errors import UsageError

if TYPE_CHECKING:
    from geozoo.cli._arguments import Cards, Export, List, Record, Reproduce, Results, Table
    from geozoo.report.screen import Screen

#: Image formats of a table.
_PICTURES = (".png", ".svg", ".pdf")


def list_entries(arguments: List, screen: Screen) -> None:
    """Show models, datasets, trained models and recipes."""
    from geozoo.config import use_own_folder
    from geozoo.report.listing import show_entries
    from geozoo.runs.arguments import existing_folder

    use_own_folder(existing_folder("config_dir", arguments.config_dir))
    show_entries(screen, arguments.section)


def record(arguments: Record, screen: Screen) -> None:
    """Append runs to the results of their model and update the cards."""
    from geozoo.runs.recording import record_runs

    recorded = record_runs([Path(run) for run in arguments.checkpoint], force=arguments.force)
    screen.result(recorded.path)
    for row in recorded.rows:
        data = " ".join(filter(None, (row.dataset, row.variant)))
        screen.note(
            f"  {row.recipe} on {data}, seeds {row.seeds}: {row.metric} {row.value:.5g} {row.unit}"
        )
    for curve in recorded.curves:
        screen.result(curve)
    _write_cards(screen)


def cards(arguments: Cards, screen: Screen) -> None:
    """Regenerate the tables of the cards."""
    _write_cards(screen)


def _write_cards(screen: Screen) -> None:
    from geozoo.report.listing import write_cards
    from geozoo.runs.recording import check_checkout

    check_checkout()
    for card in (written := write_cards()):
        screen.result(card)
    if not written:
        screen.note("all cards are up to date")


def results(arguments: Results, screen: Screen) -> None:
    """List the recorded runs."""
    from geozoo.report.ledger_table import show_results

    show_results(arguments.terms, screen)


def table(arguments: Table, screen: Screen) -> None:
    """Print or draw the published numbers of a dataset next to ours.

    Raises:
        UsageError: If the image format is not supported.
    """
    from geozoo.report.table_formats import draw_tables, show_tables
    from geozoo.results import table_text
    from geozoo.results.benchmark_table import benchmark_tables

    picture = arguments.picture
    if picture is not None:
        if picture.suffix not in _PICTURES:
            raise UsageError(f"picture must end with one of {', '.join(_PICTURES)}, got {picture}")
        check_writable("picture", picture)
    tables = benchmark_tables(arguments.data, arguments.variants)
    if picture is not None:
        draw_tables(tables, picture)
        screen.result(picture)
    elif arguments.format == "terminal":
        show_tables(tables, screen)
    else:
        writers = {
            "markdown": table_text.markdown, "csv": table_text.comma_separated,
            "latex": table_text.latex,
        }  # fmt: skip
        sys.stdout.write(writers[arguments.format](tables).rstrip("\n") + "\n")


def reproduce(arguments: Reproduce, screen: Screen) -> None:
    """Rerun a recorded command; the exit code is 1 if its metrics differ."""
    from geozoo.cli._reproducing import reproduce as reproduced

    if not reproduced(arguments.id, arguments.runs, screen, dry_run=arguments.dry_run):
        sys.exit(1)


def export(arguments: Export, screen: Screen) -> None:
    """Export a trained model as a program."""
    from geozoo.hub.exporting import save_program
    from geozoo.runs.trained import model_files, trained_model

    model, path = arguments.checkpoint, arguments.out
    check_writable("out", path)
    check_not_input("out", path, model_files(model))
    trained = trained_model(model).to("cpu")
    screen.note(trained)
    screen.note("tracing the network and comparing the program with it: seconds to minutes")
    save_program(trained, path, compiled=arguments.compiled)
    screen.result(path)
    screen.note(f"{path.stat().st_size / 2**20:.2f} MiB")
