"""Validation of a composed config and choice of the run folder, before any data is read."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config import ConfigError, Origins, check, check_pair, compose, group_names
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.runs.build import check_optimizer, check_trainer
from geozoo.runs.errors import RunError
from geozoo.runs.folder import command_line
from geozoo.runs.overrides import regroup_and_log
from geozoo.runs.paths import make_absolute

_LOG = logging.getLogger(__name__)
#: Environment variable that passes the run folder to the processes of further devices.
_FOLDER_VARIABLE = "GEOZOO_RUN_DIR"
#: Groups of the config whose chosen entry is part of the record.
_GROUPS = ("model", "dataset", "task", "optimizer", "schedule", "trainer", "logger", "recipe")


def prepare(cfg: DictConfig, *, names: tuple[str, str], origins: Origins) -> Path:
    """Choose the run folder and check the config.

    Args:
        cfg: the composed config; its ``run_dir`` is set.
        names: names of model and dataset on the command line.
        origins: the file that set each key.

    Returns:
        The run folder, which does not exist yet.

    Raises:
        ConfigError: If the config is invalid, or the model cannot learn the task of the dataset.
        RunError: If the given run folder already exists.
    """
    _check_top(cfg)
    regroup_and_log(cfg, origins)
    folder = _name_folder(cfg, "-".join(names))
    cfg.run_dir = str(folder)
    check(cfg, root=RunOptions, provided=PROVIDED, open_nodes=("model",), origin=origins)
    make_absolute(cfg)
    check_pair(cfg.model, cfg.dataset, cfg.task, names=names)
    _check_values(cfg, origins)
    check_optimizer(cfg)
    check_trainer(cfg)
    _warn_of_warmup(cfg)
    return folder


def compose_run(words: Sequence[str], run_dir: Path) -> tuple[DictConfig, dict[str, Any]]:
    """The checked config of a run, and its invocation for `geozoo.runs.training.train`.

    Args:
        words: arguments of ``geozoo train``, with ``model=`` and ``dataset=``.
        run_dir: the run folder, which does not exist yet.

    Raises:
        ConfigError: If the config is invalid, or the model cannot learn the task of the dataset.
        RunError: If the run folder already exists, or no model or dataset is given.
    """
    choices: dict[str, Any] = dict(each.partition("=")[::2] for each in words)
    if missing := [name for name in ("model", "dataset") if name not in choices]:
        raise RunError(f"missing: {', '.join(missing)}")
    cfg = compose(*words)
    cfg.run_dir = str(run_dir)
    names = str(choices["model"]), str(choices["dataset"])
    prepare(cfg, names=names, origins=Origins([], words))
    groups = {name: choices[name] for name in _GROUPS if name in choices}
    invocation = {
        "command": command_line(["geozoo-train", *words]), "overrides": list(words),
        "choices": {"recipe@_global_": _recipe(groups, names), **groups},
    }  # fmt: skip
    return cfg, invocation


def _recipe(groups: Mapping[str, str], names: tuple[str, str]) -> str | None:
    """The recipe that the config has; None without one."""
    given = groups.get("recipe", "-".join(names))
    return given if given in group_names("recipe") else None


def _warn_of_warmup(cfg: DictConfig) -> None:
    """Warn if training ends before the warm-up: the given learning rate is never reached."""
    epochs, warmup = cfg.trainer.get("max_epochs"), OmegaConf.select(cfg, "schedule.warmup_epochs")
    if epochs is not None and 0 < epochs <= (warmup or 0):
        _LOG.warning(
            "schedule.warmup_epochs=%d must be less than trainer.max_epochs=%d: the learning rate "
            "never reaches optimizer.lr", warmup, epochs,
        )  # fmt: skip


def is_main_process() -> bool:
    """Whether this is the process that writes: rank 0."""
    from lightning.pytorch.utilities import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def _check_top(cfg: DictConfig) -> None:
    """Check the two keys that are needed before the full check."""
    for key in ("runs", "run_dir"):
        value = OmegaConf.select(cfg, key)
        if not (isinstance(value, str) or (key == "run_dir" and value is None)):
            raise ConfigError(f"{key}: expected the name of a folder, got {value!r}")


def _name_folder(cfg: DictConfig, pair: str) -> Path:
    if not is_main_process() and _FOLDER_VARIABLE in os.environ:
        return Path(os.environ[_FOLDER_VARIABLE])
    if cfg.run_dir is not None:
        folder = Path(cfg.run_dir).expanduser().resolve()
        if folder.exists() and is_main_process():
            again = shlex.quote(f"resume={folder}")
            raise RunError(
                f"the run folder {folder} already exists. To resume that run: {again}; "
                "for a new run choose another run_dir, or leave it out"
            )
    else:
        stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_seed{cfg.seed}"
        folder = _free(Path(cfg.runs).expanduser().resolve() / pair / stamp)
    os.environ[_FOLDER_VARIABLE] = str(folder)
    return folder


def _free(folder: Path) -> Path:
    """This folder, or the first of ``<folder>_2``, ``<folder>_3``, ... that does not exist."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}_{number}")
    return candidate


def _check_values(cfg: DictConfig, origins: Origins) -> None:
    """Check the range of values."""
    rules = {
        "seed": (0 <= cfg.seed < 2**32, "must be in 0..4294967295"),  # numpy's seeds
        "ema_decay": (cfg.ema_decay is None or 0 <= cfg.ema_decay < 1, "must be in [0, 1)"),
        "ema_start": (cfg.ema_start >= 0, "must be at least 0"),
        "early_stopping_patience": (
            cfg.early_stopping_patience is None or cfg.early_stopping_patience >= 1,
            "must be at least 1",
        ),
        # The update of a weight that has never had a gradient would be 0 / 0.
        "optimizer.eps": (
            OmegaConf.select(cfg, "optimizer.eps", default=1.0) != 0,
            "must not be 0",
        ),
    }
    errors = [
        f"{key}: {text}, got {OmegaConf.select(cfg, key)!r} [{origins(key)}]"
        for key, (is_good, text) in rules.items()
        if not is_good
    ]
    if errors:
        raise ConfigError("\n".join(errors))
