"""The test of a task, the same for a training, for its run, and for other data."""

from __future__ import annotations

import time
from dataclasses import replace

from hydra.utils import instantiate
from lightning import Trainer
from omegaconf import DictConfig

from geozoo.data import GraphDataModule
from geozoo.runs.errors import user_errors_named
from geozoo.runs.outcome import Tested
from geozoo.runs.run_bar import RunBar
from geozoo.tasks import GraphTask


def test_trainer(cfg: DictConfig, *, is_terminal: bool) -> Trainer:
    """A Lightning Trainer that tests and leaves nothing behind."""
    make = instantiate(cfg.trainer, _convert_="all", _partial_=True)
    return make(
        logger=False,
        callbacks=[RunBar()] if is_terminal else [],
        enable_checkpointing=False,
        enable_progress_bar=is_terminal,
    )


def tested(
    trainer: Trainer, task: GraphTask, datamodule: GraphDataModule, *, checkpoint: str,
    best_epoch: int = 0, note: str = "", is_run: bool = True,
) -> Tested:  # fmt: skip
    """Test a task on the test part.

    Args:
        trainer: of the training, or `test_trainer`.
        task: with the weights to test.
        datamodule: the data.
        checkpoint: name of the weights.
        best_epoch: epoch that they are from.
        note: what a reader has to know.
        is_run: False: without any test, say only what there is.

    Raises:
        RunError: for a test part that the task refuses, see `GraphTask.check_part`.
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
        return {name: float(values[f"{prefix}{name}"]) for name in task.test_errors.names}

    total = len(datamodule.test_dataloader())
    return replace(
        untested, metrics=part("test/"), baseline=part("test/baseline_"),
        seconds=time.perf_counter() - started, cut=cut_of(trainer.limit_test_batches, total),
    )  # fmt: skip


def cut_of(limit: int | float | None, total: int) -> str:
    """How much of a part is seen, ``"2 of 25 batches"``; empty for all of it.

    Args:
        limit: number of batches, or share of them; None: no limit.
        total: batches of the part.
    """
    seen = total if limit is None else limit if isinstance(limit, int) else int(limit * total)
    return f"{seen} of {total} batches" if seen < total else ""


def _check_part(task: GraphTask, datamodule: GraphDataModule) -> None:
    with user_errors_named("dataset"):
        task.check_part(datamodule, "test")
