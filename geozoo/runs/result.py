"""The result rows of a finished run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from omegaconf import DictConfig

from geozoo.config import short_name
from geozoo.results.rows import Result
from geozoo.runs.outcome import Effort, RunOutcome

#: Keys that have other columns, or that change results only by rounding.
_OTHER_COLUMNS = (
    "model", "dataset", "trainer", "recipe", "logger", "seed", "runs", "run_dir",
    "trainer.enable_progress_bar", "trainer.enable_model_summary",
    "dataset.molecule", "dataset.target", "dataset.variant", "dataset.split", "dataset.root",
    "trainer.accelerator", "trainer.captured_steps",
)  # fmt: skip

#: Separator before the tested fraction of the test set, in the column ``checkpoint``.
CUT = ", tested on "


def result_rows(outcome: RunOutcome) -> list[Result]:
    """One row per test metric, without published values."""
    record, effort = outcome.task.record, _effort(outcome)
    data = outcome.task.spec.record
    shared: dict[str, Any] = {
        "recipe": recipe_name(record["choices"], _changes(record["overrides"], outcome)),
        "dataset": data.dataset or str(record["choices"]["dataset"]),
        "variant": data.problem,
        "split": data.split_label,
        "std": None,
        "seeds": str(outcome.cfg.seed),
        "paper_value": None,
        "paper_ref": "",
        "commit": record["versions"]["commit"],
        "command": record["command"],
        "device": effort.device,
        "wall_time_s": round(effort.train_time_s, 1),
        "peak_memory_mb": round(effort.peak_memory_mb),
        "torch": record["versions"]["torch"],
        "date": date.today().isoformat(),
        "checkpoint": _checkpoint(outcome),
    }
    units = outcome.task.metric_units()
    return [
        Result(
            metric=name,
            unit=units[name],
            value=value,
            baseline=outcome.tested.baseline[name],
            **shared,
        )
        for name, value in outcome.tested.metrics.items()
    ]


def _effort(outcome: RunOutcome) -> Effort:
    assert outcome.effort is not None  # that of a run
    return outcome.effort


def _changes(overrides: Sequence[str], outcome: RunOutcome) -> list[str]:
    """The overrides of a run; a time limit counts only if it ended the training.

    Options have their names without groups, so that equal runs keep their ids.
    """
    overrides = [_short(word, outcome.cfg) for word in overrides]
    planned = outcome.cfg.trainer.get("max_epochs")
    is_whole = planned is not None and _effort(outcome).epochs >= planned
    return [word for word in overrides if not (is_whole and word.startswith("trainer.max_time="))]


def _checkpoint(outcome: RunOutcome) -> str:
    """The tested checkpoint, and how much of training or test was done if not all."""
    tested, done = outcome.tested, _effort(outcome).epochs
    planned = outcome.cfg.trainer.get("max_epochs")
    text = tested.checkpoint
    if tested.best_epoch:  # a model without parameters has no epochs
        text += f", epoch {tested.best_epoch}"
    if planned is not None and 0 < done < planned:
        text += f", ended after {done} of {planned} epochs"
    if tested.cut:
        text += f"{CUT}{tested.cut}"
    return text


def recipe_name(choices: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """The recipe with its variant, ``ponita-nbody_quick``, and the overrides.

    >>> words = ["seed=1", "model.num_layers=3", "trainer.enable_progress_bar=false"]
    >>> recipe_name({"recipe@_global_": "ponita-nbody_quick"}, words)
    'ponita-nbody_quick, model.num_layers=3'
    """
    variant = choices.get("recipe@_global_") or choices.get("recipe")
    if variant in (None, "none"):
        name = f"{choices['model']}-{choices['dataset']} without recipe"
    else:
        name = str(variant).removesuffix("_default")
    changes = [word for word in overrides if _is_change(word)]
    return ", ".join([name, *changes])


def _short(word: str, cfg: DictConfig) -> str:
    key, equals, value = word.partition("=")
    return f"{short_name(key, cfg)}{equals}{value}"


def _is_change(word: str) -> bool:
    key = word.partition("=")[0]
    return key not in _OTHER_COLUMNS and not key.startswith("logger.")
