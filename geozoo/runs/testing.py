"""The test of a task, shared by training, evaluation and tests on other data."""

from __future__ import annotations

import time
from dataclasses import replace

from hydra.utils import instantiate
from lightning import Trainer
from omegaconf import DictConfig

from geozoo.data import GraphDataModule
from geozoo.runs.errors import user_errors_named
from geozoo.runs.freed_memory import FreedMemory
from geozoo.runs.outcome import Tested
from geozoo.runs.run_bar import RunBar
from geozoo.tasks import GraphTask


def test_trainer(cfg: DictConfig, *, is_terminal: bool) -> Trainer:
    """A Lightning Trainer for tests, without loggers and checkpoints."""
    make = instantiate(cfg.trainer, _convert_="all", _partial_=True)
    return make(
        logger=False,
        callbacks=[FreedMemory(), *([RunBar()] if is_terminal else [])],
        enable_checkpointing=False,
        enable_progress_bar=is_terminal,
    )


def tested(
    trainer: Trainer, task: GraphTask, datamodule: GraphDataModule, *, checkpoint: str,
    best_epoch: int = 0, note: str = "", is_run: bool = True,
) -> Tested:  # fmt: skip
    """Test a task on the test set.

    Args:
        trainer: the trainer of the training run, or `test_trainer`.
        task: the task, with the weights to test.
        datamodule: the data module.
        checkpoint: name of the weights.
        best_epoch: epoch of the weights.
        note: a remark for the reader.
        is_run: whether to run the test; otherwise the result has no metrics.

    Raises:
        RunError: If the task rejects the test set, see `GraphTask.check_part`.
    """
    parameters = sum(p.numel() for p in task.model.parameters())
    untested = Tested(
        checkpoint=checkpoint, best_epoch=best_epoch, note=note, parameters=parameters
    )
    if not is_run:
        return untested
    _check_part(task, datamodule)
    started = time.perf_counter()
    (values,) = trainer.test(task, datamodule=datamodule, verbose=False)

    def part(prefix: str) -> dict[str, float]:
        # A measure without any target has no value.
        names = [name for name in task.test_errors.names if f"{prefix}{name}" in values]
        return {name: float(values[f"{prefix}{name}"]) for name in names}

    total = len(datamodule.test_dataloader())
    return replace(
        untested, metrics=part("test/"), baseline=part("test/baseline_"),
        further=task.further_errors, parts=task.part_errors, seconds=time.perf_counter() - started,
        cut=cut_of(trainer.limit_test_batches, total),
    )  # fmt: skip


def cut_of(limit: int | float | None, total: int) -> str:
    """The evaluated fraction of a part, ``"2 of 25 batches"``; empty for all of it.

    Args:
        limit: number of batches, or a fraction; None: no limit.
        total: number of batches of the part.
    """
    seen = total if limit is None else limit if isinstance(limit, int) else int(limit * total)
    return f"{seen} of {total} batches" if seen < total else ""


def _check_part(task: GraphTask, datamodule: GraphDataModule) -> None:
    with user_errors_named("dataset"):
        task.check_part(datamodule, "test")
