"""``geozoo train --help``: entries, keys and examples, without importing torch."""

from __future__ import annotations

from collections.abc import Sequence

from geozoo.config import Entry, all_entries, group_names, own_problems, recipes, trainer_variants
from geozoo.config._entries import KINDS
from geozoo.config.needs import needed_extras, needs
from geozoo.report.screen import Screen
from geozoo.report.sheet import facts

_EXAMPLES = (
    ("geozoo-train trainer=quick", "minutes on a CPU: PONITA on the N-body data"),
    ("geozoo-train", "the same pair with the published settings (hours on a GPU)"),
    (
        "geozoo-train dataset=rmd17 dataset.molecule=ethanol",
        "another dataset; nested keys with dots",
    ),
    ("geozoo-train dataset=extxyz dataset.path=my.xyz", "your own energies and forces"),
    (
        "geozoo-train model=painn dataset=molecules dataset.path=my.csv dataset.targets=[gap]",
        "your own molecules and properties",
    ),
    (
        "geozoo-train model=gram_ode dataset=traffic_synthetic",
        "traffic forecasting on simulated data",
    ),
    ("geozoo-train model.num_layers=3 optimizer.lr=1e-3", "change any key"),
    (
        "geozoo-train -m seed=0,1,2 trainer=quick",
        "several runs; mean and standard deviation at the end",
    ),
    ("geozoo-train trainer.devices=2 trainer.strategy=ddp", "any argument of lightning.Trainer"),
    ("geozoo-train resume=runs/ponita-nbody/<run>", "resume a run exactly"),
    ("geozoo-train --cfg job trainer=quick", "show the config instead of running it"),
    ("geozoo-evaluate runs/ponita-nbody/<run>", "test a finished run again"),
)
_KEYS = (
    ("seed=0", "random seed of weights, shuffle order and rotations"),
    ("run_dir=<folder>", "run folder; default: runs/<model>-<dataset>/<time>_seed<seed>"),
    ("ema_decay=0.99", "exponential moving average of the weights; null: none"),
    ("ema_start=2000", "steps before that average begins"),
    ("early_stopping_patience=10", "validations without improvement before training stops"),
    ("recipe=none", "without the recipe of the model and dataset"),
    ("--config-dir <folder>", "your own model/, dataset/, recipe/ ... YAML files"),
)
_OTHER_GROUPS = ("task", "optimizer", "schedule", "trainer", "logger")


def print_help(screen: Screen | None = None) -> None:
    """Print entries, recipes, groups, keys and examples.

    Args:
        screen: screen that prints them; None: standard output.
    """
    screen = screen or Screen()
    screen.result("geozoo-train: train a model of the zoo on a dataset.\n", style="bold")
    screen.result(
        "Usage: geozoo-train [group=name ...] [key=value ...]    (in a checkout: python train.py)\n"
    )
    for kind in KINDS:
        _section(screen, f"{kind}=", [(e.name, described(e)) for e in all_entries(kind)])
        for problem in own_problems(kind):
            screen.note(problem)
    _section(screen, "recipe=  chosen by model and dataset", _recipe_rows())
    _section(screen, "groups", [(f"{g}=", "  ".join(group_names(g))) for g in _OTHER_GROUPS])
    _section(screen, "keys", _KEYS)
    examples = [(line, _with_needs(text, *needed_extras(line))) for line, text in _EXAMPLES]
    _section(screen, "examples", examples)


def described(entry: Entry) -> str:
    """The summary of an entry, with the extra that it needs and its origin."""
    text = _with_needs(entry.summary, entry.extra)
    return f"{text} [{entry.origin}]" if entry.origin else text


def _with_needs(text: str, *extras: str) -> str:
    note = needs(*extras)
    return f"{text} [{note}]" if note else text


def _recipe_rows() -> list[tuple[str, str]]:
    """Recipes; variants for a trainer are listed beside their recipe."""
    known = {recipe.name for recipe in recipes() if not recipe.is_shared}
    rows = sorted(
        {
            (f"{recipe.model}-<data>", f"every dataset of task {recipe.path.stem}")
            for recipe in recipes()
            if recipe.is_shared and not recipe.name.endswith(tuple(trainer_variants()))
        }
    )
    for name in sorted(known):
        if name.endswith(tuple(f"_{variant}" for variant in trainer_variants())):
            continue
        own = [v for v in trainer_variants() if f"{name}_{v}" in known]
        rows.append((name, f"with variants for trainer={', '.join(own)}" if own else ""))
    return rows


def _section(screen: Screen, title: str, rows: Sequence[tuple[str, str]]) -> None:
    screen.result(title, style="bold")
    screen.show(facts(*rows))
    screen.result("")
