"""``geozoo``: everything that the zoo does, one word each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo import __version__
from geozoo.cli._extras import extras_named, missing_library
from geozoo.config.needs import with_needs
from geozoo.runs.arguments import check_not_input, check_writable
from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from geozoo.report.screen import Screen

_PROGRAM = "geozoo"
#: Programs of their own, which read the remaining words themselves.
_PROGRAMS = {
    "train": "train a model: the words of train.py",
    "evaluate": "test a checkpoint again",
    "sample": "draw molecules from a checkpoint",
}


_PREDICT_EXAMPLES = (
    "examples:",
    "  geozoo predict checkpoint=ponita-rmd17_ethanol input=frames.xyz output=forces.extxyz",
    "  geozoo predict checkpoint=runs/ponita-nbody/<run> input=systems.npz output=positions.npz",
    "  geozoo predict checkpoint=stid-los_loop input=last_hour.csv output=next_hour.csv",
    "  geozoo predict checkpoint=run_0,run_1,run_2 input=... output=...   # mean and spread",
    "further words: ignore_cell=true any_composition=true length_unit=bohr; for readings that",
    "  differ from those of the training zero_is_missing=true missing=[-9999] time_format=...",
)


def main() -> None:
    """Read the command line and do what it says."""
    words = sys.argv[1:]
    if words and words[0] in _PROGRAMS:
        sys.argv = [_program(words[0]), *words[1:]]
        import_module(f"geozoo.cli.{words[0]}").main()
        return
    options = _parser().parse_args(words)
    with extras_named(f"{_PROGRAM} {options.command}"):
        _run(options)


def _program(word: str) -> str:
    """The file of a program, which Lightning starts again for each further process."""
    beside = Path(sys.argv[0]).with_name(f"{_PROGRAM}-{word}")
    return str(beside) if beside.is_file() else beside.name


def _run(options: argparse.Namespace) -> None:
    """Run a command; a user error ends the program."""
    from geozoo.report.screen import Screen

    screen = Screen()
    try:
        options.run(options, screen)
    except (ValueError, OSError, ImportError, RunError) as error:
        if missing_library(error):
            raise
        screen.fail(_PROGRAM, str(error))


def _list(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.report.listing import show_entries

    show_entries(screen, options.section)


def _record(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.runs.recording import record_runs

    recorded = record_runs([Path(run) for run in options.runs], force=options.force)
    screen.result(recorded.path)
    for row in recorded.rows:
        place = " ".join(filter(None, (row.dataset, row.variant)))
        screen.note(
            f"  {row.recipe} on {place}, seeds {row.seeds}: {row.metric} {row.value:.5g} {row.unit}"
        )
    for curve in recorded.curves:
        screen.result(curve)
    _cards(options, screen)


def _cards(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.report.listing import write_cards
    from geozoo.runs.recording import check_checkout

    check_checkout()
    for card in (written := write_cards()):
        screen.result(card)
    if not written:
        screen.note("all cards are current")


def _results(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.report.ledger_table import show_results

    show_results(options.words, screen)


def _table(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.report.table_formats import draw_tables, show_tables
    from geozoo.results import table_text
    from geozoo.results.benchmark_table import benchmark_tables

    if options.picture:
        check_writable("--picture", Path(options.picture))
    tables = benchmark_tables(options.data, options.variants)
    if options.picture:
        draw_tables(tables, Path(options.picture))
        screen.result(options.picture)
    elif options.format == "terminal":
        show_tables(tables, screen)
    else:
        writers = {
            "markdown": table_text.markdown, "csv": table_text.comma_separated,
            "latex": table_text.latex,
        }  # fmt: skip
        sys.stdout.write(writers[options.format](tables).rstrip("\n") + "\n")


def _reproduce(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.cli._reproducing import reproduce

    if not reproduce(options.id, options.runs, screen, dry_run=options.dry_run):
        sys.exit(1)


def _predict(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.cli._predicting import predict

    predict(options.words, screen)


def _export(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.hub.exporting import save_program
    from geozoo.runs.trained import model_files, trained_model

    path = Path(options.output).expanduser().absolute()
    check_writable("output", path)
    check_not_input("output", path, model_files(options.model))
    save_program(trained_model(options.model).to("cpu"), path, compiled=options.compiled)
    screen.result(path)
    screen.note(f"{path.stat().st_size / 2**20:.2f} MiB")


def _publish(options: argparse.Namespace, screen: Screen) -> None:
    from geozoo.cli._publishing import publish

    publish(options.run_folder, options.out, options.name, options.licence, screen, options.mirror)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(_PROGRAM, description=__doc__)
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in _PROGRAMS.items():
        commands.add_parser(name, help=what, add_help=False)
    listed = _add(commands, "list", _list, "models, data sets, trained models and recipes")
    listed.add_argument(
        "section", nargs="?", help="models, datasets, trained or recipes; default: all in short"
    )
    record = _add(commands, "record", _record, "append finished runs to the results of a model")
    record.add_argument("runs", nargs="+", help="run folders that differ in the seed alone")
    record.add_argument(
        "--force", action="store_true", help="also of code that no commit holds (-dirty)"
    )
    _add(commands, "cards", _cards, "regenerate the results tables of the cards")
    results = _add(commands, "results", _results, "recorded runs with their ids")
    results.add_argument("words", nargs="*", help="of id, model, recipe, data, device: all occur")
    table = _add(commands, "table", _table, "published numbers of a data set beside ours")
    table.add_argument("data", help="data set, or the beginning of several: pems")
    table.add_argument("variants", nargs="*", help="molecules, targets or variants; default: all")
    kinds = ("terminal", "markdown", "csv", "latex")
    table.add_argument("--format", choices=kinds, default="terminal")
    table.add_argument("--picture", metavar="FILE", help="draw it instead: .png, .svg or .pdf")
    again = _add(commands, "reproduce", _reproduce, "run a record's command again and compare")
    again.add_argument("id", help="see `geozoo results`")
    again.add_argument("--runs", default="runs", help="folder of the run folders; default: runs")
    again.add_argument("--dry-run", action="store_true", help="only say what would be done")
    predict = _add(
        commands, "predict", _predict, "predict for your own structures, arrays or readings",
        _PREDICT_EXAMPLES,
    )  # fmt: skip
    predict.add_argument("words", nargs="+", metavar="key=value", help="see the examples")
    export = _add(commands, "export", _export, "a trained model as a program without geozoo")
    export.add_argument("model", help="trained model, run folder or checkpoint")
    export.add_argument("output", help=".pt2 (torch.export), or .onnx for a forecaster")
    export.add_argument("--compiled", action="store_true", help="native code by AOTInductor")
    publish = _add(commands, "publish", _publish, "make a trained model of a finished run")
    publish.add_argument("run_folder", metavar="run", help="run folder; its best checkpoint")
    publish.add_argument("--out", help="folder to make; default: ./<name>")
    publish.add_argument("--name", help="default: the model and its data")
    publish.add_argument("--licence", default="MIT", help="of the weights; default: MIT")
    publish.add_argument(
        "--mirror", action="append", default=[], metavar="URL",
        help="where the weights will be had: then model.json alone is enough; may be repeated",
    )  # fmt: skip
    return parser


def _add(
    commands: argparse._SubParsersAction, name: str,
    run: Callable[[argparse.Namespace, Screen], None], what: str, epilog: Sequence[str] = (),
) -> argparse.ArgumentParser:  # fmt: skip
    parser = commands.add_parser(
        name, help=what, description=what, epilog="\n".join(with_needs(epilog)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    main()
