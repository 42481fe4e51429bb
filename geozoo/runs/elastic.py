"""Elastic training of a run: its sizes, and the test of some of them."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast, get_args

import torch
from omegaconf import DictConfig

from geozoo.contracts import Resizable
from geozoo.data import GraphDataModule
from geozoo.files.folders import atomic_path
from geozoo.hub.resizing import ELASTIC_KEYS
from geozoo.runs.errors import RunError
from geozoo.tasks import ElasticSizes, ElasticTraining, GraphTask, Size
from geozoo.tasks.elastic import Teacher

_LOG = logging.getLogger(__name__)
#: Repeats of a timed prediction, of which the fastest counts.
_REPEATS = 3


def check_elastic(cfg: DictConfig) -> None:
    """Reject options that elastic training does not go with, before any data is read.

    Raises:
        RunError: If there are such options, or options of elastic training without it.
    """
    if not cfg.get("elastic"):
        keys = list(ELASTIC_KEYS.values())[:2]  # widths have a default
        given = [key for key in keys if cfg.get(key) is not None]
        if given:
            raise RunError(f"{given[0]}: the training has one size only; set elastic=true")
        return
    if not 0 <= cfg.elastic_start < 1:
        raise RunError(f"elastic_start must be in [0, 1), got {cfg.elastic_start!r}")
    if (teacher := _teacher(cfg)) not in get_args(Teacher):
        known = ", ".join(get_args(Teacher))
        raise RunError(f"elastic_teacher must be one of {known}, got {teacher!r}")
    if cfg.elastic_samples < 0:
        raise RunError(f"elastic_samples must be at least 0, got {cfg.elastic_samples!r}")
    for key, is_set in {
        "trainer.captured_steps": cfg.trainer.get("captured_steps") is not None,
        "trainer.compile": bool(cfg.trainer.get("compile")),
        "adapter_rank": cfg.adapter_rank is not None,
    }.items():
        if is_set:
            raise RunError(
                f"{key}: elastic training trains several networks per step; leave it out"
            )
    epochs = cfg.trainer.get("max_epochs")
    if cfg.elastic_start and (epochs is None or epochs < 1):
        raise RunError(
            f"elastic_start={cfg.elastic_start}: a fraction of trainer.max_epochs, which has no "
            "end; set elastic_start=0"
        )


def make_elastic(cfg: DictConfig, task: GraphTask) -> str | None:
    """Let a task train all sizes of its model; they become part of the config.

    Args:
        cfg: the config.
        task: the task.

    Returns:
        A line for the log; None without elastic training.

    Raises:
        RunError: If the model or the task does not allow it, or a size is impossible.
    """
    if not cfg.get("elastic"):
        return None
    if not task.forms_ensembles:
        raise RunError(f"elastic: {type(task).__name__} generates; its sizes could not be tested")
    if _teacher(cfg) == "largest" and not task.is_taught:
        raise RunError(
            f"elastic_teacher=largest: task {type(task).__name__} has no targets that a network "
            "could predict for smaller ones; set elastic_teacher=data"
        )
    given = {
        name: None if cfg[key] is None else list(cfg[key]) for name, key in ELASTIC_KEYS.items()
    }
    try:
        sizes = ElasticSizes.of(task.model, **cast(dict[str, Any], given))
        start = round(cfg.elastic_start * max(0, cfg.trainer.get("max_epochs") or 0))
        task.elastic = ElasticTraining(
            sizes, start=start, samples=cfg.elastic_samples, seed=cfg.seed,
            teacher=_teacher(cfg),
        )  # fmt: skip
    except ValueError as error:
        raise RunError(f"elastic: {error}") from error
    for name, key in ELASTIC_KEYS.items():
        cfg[key] = list(getattr(sizes, name))
    return (
        f"elastic training of {len(list(sizes))} sizes, from {sizes.smallest} to {sizes.largest}; "
        f"smaller ones from epoch {start + 1} on"
    )


def _teacher(cfg: DictConfig) -> Teacher:
    """The teacher; runs older than this key have one."""
    return cast(Teacher, cfg.get("elastic_teacher", "largest"))


def test_sizes(task: GraphTask, datamodule: GraphDataModule, path: Path) -> list[dict[str, Any]]:
    """Test some sizes of an elastic model, and write and log the table.

    Args:
        task: the task with the weights to test.
        datamodule: the data module.
        path: the file to write.
    """
    assert task.elastic is not None
    rows = rows_of_sizes(task, datamodule, task.elastic.sizes.ladder())
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        values = ", ".join(f"{name} {row[name]:.4g}" for name in task.test_errors.names)
        _LOG.info(
            "%s: %s; %d weights, %.1f ms per batch",
            Size(*(row[name] for name in ELASTIC_KEYS)), values, row["parameters"], row["batch_ms"],
        )  # fmt: skip
    return rows


def rows_of_sizes(
    task: GraphTask, datamodule: GraphDataModule, sizes: Iterable[Size]
) -> list[dict[str, Any]]:
    """Size, test metrics, number of weights and time of a batch of parts of a network.

    Args:
        task: the task with the whole network.
        datamodule: the data module.
        sizes: the sizes.
    """
    whole, rows, was_training = task.model, [], task.training
    try:
        for size in sizes:
            part = cast(Resizable, whole).resized(**size.arguments)
            task.model = part.to(task.device).requires_grad_(False)
            rows.append({**size.arguments, **tested_row(task.eval(), datamodule)})
    finally:
        task.model = whole
        task.train(was_training)
    return rows


@torch.no_grad()
def tested_row(task: GraphTask, datamodule: GraphDataModule) -> dict[str, Any]:
    """Test metrics, number of weights, and CPU time (on a GPU wall time) of a test batch in ms.

    Args:
        task: the task, in evaluation mode.
        datamodule: the data module.
    """
    errors = task.make_errors().to(task.device)
    for batch in datamodule.test_dataloader():
        task.add_errors(errors, batch.to(task.device))
    values = {name: float(value) for name, value in errors.compute().items()}
    batch = next(iter(datamodule.test_dataloader())).to(task.device)
    on_cpu = task.device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    fastest = float("inf")
    for _ in range(_REPEATS):
        started = clock()
        task.predict(batch)
        if not on_cpu:
            torch.accelerator.synchronize()
        fastest = min(fastest, clock() - started)
    count = sum(weight.numel() for weight in task.model.parameters())
    return {**values, "parameters": count, "batch_ms": 1e3 * fastest}
