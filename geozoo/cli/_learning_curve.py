"""``geozoo learning-curve``: one model on parts of the training set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geozoo.cli._console import configure_logging
from geozoo.cli._sweep_arguments import LearningCurve
from geozoo.cli._sweep_runs import (
    Starter,
    checked,
    parted,
    refuse_nothing,
    refuse_set,
    show_report,
    train_all,
)
from geozoo.report.screen import Screen
from geozoo.runs.errors import UsageError
from geozoo.sweeps.comparison import PREFERRED
from geozoo.sweeps.curve import Curve, CurveLength
from geozoo.sweeps.page import curve_figures
from geozoo.sweeps.settings import claim_folder, only_one

#: Keys that the command sets.
_SET = (
    "seed", "runs", "run_dir", "test", "dataset.num_train", "dataset.loader.num_train",
    "dataset.loader.subset_seed", "trainer.limit_train_batches",
)  # fmt: skip


def learning_curve(options: LearningCurve, screen: Screen) -> None:
    """Train, test and report; an interrupted call is continued by the same command.

    Raises:
        UsageError: If a name or a key is unknown, or there are fewer than two sizes.
        ConfigError: If the model does not fit the dataset.
        RunError: If the folder holds another sweep.
    """
    sizes = sorted(set(options.sizes))
    if len(sizes) < 2:
        raise UsageError(f"sizes: expected at least two different numbers, got {sizes}")
    changes, of_launcher = parted(options.changes, options.launcher)
    refuse_set(changes, _SET, "the learning curve")
    config = checked(options.model, options.dataset, changes)
    epochs = config["trainer"].get("max_epochs")
    if epochs is None or epochs < 1:
        raise UsageError("trainer.max_epochs must be a number: that of the largest size")
    length = CurveLength(
        epochs, config["trainer"]["check_val_every_n_epoch"],
        config["dataset"]["loader"]["batch_size"], sizes[-1], options.length == "steps",
    )  # fmt: skip
    name = f"learning-curve-{options.model}-{options.dataset}"
    folder = options.out or Path(f"runs/{name}").absolute()
    configure_logging(screen, has_clock=False)
    claim_folder(folder, {
        "command": "learning-curve", "model": options.model, "dataset": options.dataset,
        "length": options.length, "largest": sizes[-1], "changes": sorted(changes),
    })  # fmt: skip
    starter = Starter(options.processes, options.launcher, of_launcher, screen)
    words = [f"model={options.model}", f"dataset={options.dataset}", *changes]
    runs = {
        (str(size), seed): _arguments(words, length.arguments(size, seed, config["schedule"] or {}))
        for size in sizes
        for seed in range(options.seeds)
    }
    with only_one(folder):
        finished, errors = train_all(runs, folder, starter)
    curve = Curve(
        model=options.model, metric=options.metric, preferred=PREFERRED,
        errors={int(size): text for size, text in errors.items()},
        runs={size: [r for (s, _), r in finished.items() if s == str(size)] for size in sizes},
    )  # fmt: skip
    _report(options, curve, folder, screen)
    refuse_nothing(curve.finished, list(errors.values()))


def _arguments(words: Sequence[str], length: Sequence[str]) -> list[str]:
    """The arguments of a run; those of its length replace those of the largest size."""
    keys = {each.partition("=")[0] for each in length}
    return [*(each for each in words if each.partition("=")[0] not in keys), *length]


def _report(options: LearningCurve, curve: Curve, folder: Path, screen: Screen) -> None:
    """Print and write the table and the answer."""
    sheet, answer, warnings = curve.sheet(), curve.answer(), curve.warnings()
    facts = {
        "dataset": " ".join([options.dataset, *options.changes]),
        "length": f"equal {options.length} for all sizes",
        "samples": "nested parts of the training set, others for each seed (windows of a series: "
        "the last ones); validation and test sets are the same for all",
        "device": "; ".join(sorted({run.device for run in curve.finished})),
        "folder": str(folder),
    }
    show_report(
        screen, folder, "learning_curve",
        title=f"Learning curve of {options.model} on {options.dataset}", sheet=sheet, answer=answer,
        warnings=warnings, figures=curve_figures(curve), facts=facts, values=curve.to_dict(),
    )  # fmt: skip
