"""``--help``: what there is and how to ask for it, without loading torch."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from geozoo.zoo import entries, group_names, recipes, trainer_variants

_EXAMPLES = (
    ("geozoo-train trainer=quick", "minutes on a CPU: PONITA on the N-body data"),
    ("geozoo-train", "the same pair with the published settings (hours on a GPU)"),
    ("geozoo-train dataset=rmd17 dataset.molecule=ethanol", "another data set; keys by dots"),
    ("geozoo-train model.num_layers=3 optimizer.lr=1e-3", "change any key"),
    ("geozoo-train -m seed=0,1,2 trainer=quick", "several runs, mean and spread at the end"),
    ("geozoo-train trainer.devices=2 trainer.strategy=ddp", "any argument of lightning.Trainer"),
    ("geozoo-train resume=runs/ponita-nbody/<run>", "continue a run exactly"),
    ("geozoo-train --cfg job trainer=quick", "show the config instead of running it"),
    ("geozoo-evaluate runs/ponita-nbody/<run>", "test a finished run again"),
)
_KEYS = (
    ("seed=0", "of weights, shuffle order and rotations"),
    ("run_dir=<folder>", "instead of runs/<model>-<dataset>/<time>_seed<seed>"),
    ("ema_decay=0.99", "average the weights; null: no averaging"),
    ("early_stopping_patience=10", "validations without a better one before the end"),
    ("recipe=none", "without the settings published for the pair"),
    ("--config-dir <folder>", "your own model/, dataset/, recipe/ ... YAML files"),
)
_OTHER_GROUPS = ("task", "optimizer", "schedule", "trainer", "logger")


def print_help(console: Console | None = None) -> None:
    """Print entries, recipes, groups and examples.

    Args:
        console: where; None: the standard output.
    """
    console = console or Console(highlight=False)
    console.print("[bold]geozoo-train[/]: train a model of the zoo on a data set.\n")
    console.print(
        "Usage: geozoo-train \\[group=name ...] \\[key=value ...]"
        "    (in a checkout: python train.py)\n"
    )
    for kind in ("model", "dataset"):
        _section(console, f"{kind}=", [(e.name, e.summary) for e in entries(kind)])  # type: ignore[arg-type]
    _section(console, "recipe=  chosen by the pair", _recipe_rows())
    _section(console, "groups", [(f"{g}=", "  ".join(group_names(g))) for g in _OTHER_GROUPS])
    _section(console, "keys", _KEYS)
    _section(console, "examples", _EXAMPLES)


def _recipe_rows() -> list[tuple[str, str]]:
    """Recipes without those that a trainer picks; these are told beside the others."""
    known = {recipe.name for recipe in recipes() if not recipe.is_shared}
    rows = sorted(
        {
            (f"{recipe.model}-<data>", f"every data set of the task {recipe.path.stem}")
            for recipe in recipes()
            if recipe.is_shared and not recipe.name.endswith(tuple(trainer_variants()))
        }
    )
    for name in sorted(known):
        if name.endswith(tuple(f"_{variant}" for variant in trainer_variants())):
            continue
        own = [v for v in trainer_variants() if f"{name}_{v}" in known]
        rows.append((name, f"with its own trainer={', '.join(own)}" if own else ""))
    return rows


def _section(console: Console, title: str, rows: object) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:  # type: ignore[attr-defined]
        table.add_row(name, text)
    console.print(f"[bold]{title}[/]")
    console.print(table)
    console.print()
