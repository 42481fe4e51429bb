"""Test of a checkpoint, with the config that it stores."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning import seed_everything
from omegaconf import DictConfig

from geozoo.data import DataSpec, GraphDataModule
from geozoo.hub.checkpoints import Checkpoint
from geozoo.runs.build import build_datamodule, build_task
from geozoo.runs.checkpoints import find_checkpoint, read_checkpoint
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.outcome import Effort, RunOutcome
from geozoo.runs.overrides import change_config
from geozoo.runs.paths import moved_files, reads_own_files
from geozoo.runs.resume import stored_config
from geozoo.runs.testing import cut_of, test_trainer, tested
from geozoo.runs.trained import lay_out_columns
from geozoo.runs.training import loaded_spec

_LOG = logging.getLogger(__name__)
#: Keys that may differ from the run; the model stays the same.
_FREE = ("dataset.", "task.", "trainer.")
#: Those of these keys that do not change the data.
_BATCHES = "dataset.loader."


def evaluation(
    run: str, changes: Sequence[str], *, is_terminal: bool = False, is_saved: bool = False
) -> RunOutcome:
    """Test a checkpoint.

    Args:
        run: run folder or checkpoint file.
        changes: overrides of the config, ``key=value``.
        is_terminal: whether a progress bar can be drawn.
        is_saved: whether the test becomes part of the record of the run.

    Raises:
        RunError: If there is no such checkpoint, an override is not allowed, or the test is to be
            saved and the data of the run have changed (otherwise that is a warning and a note).
        ConfigError: If an override does not match a signature.
    """
    checkpoint = read_checkpoint(find_checkpoint(run))
    newest = _newest(checkpoint)
    record = _run_record(checkpoint, newest)
    folder = checkpoint.path.parent.parent
    cfg = stored_config(record["config"], folder)
    with moved_files(cfg, record["config"], folder):
        change_config(
            cfg, changes, allowed=_FREE, reason="a test keeps the model of its run",
            origin=checkpoint.path,
        )  # fmt: skip
        if changes:  # the metrics depend on them
            again = shlex.join(["geozoo-evaluate", "<run>", *changes])
            record["command"] = f"{record['command']}; {again}"
            record["overrides"] = [*record["overrides"], *changes]
        datamodule = _own_data(cfg, checkpoint)
        note = _note_of_changes(checkpoint, datamodule.spec, changes)
        if note and is_saved and reads_own_files(cfg):
            raise RunError(f"dataset: {note}: such a test cannot be part of the record of the run")
        if note:
            _LOG.warning(note)
        return _tested(
            cfg, datamodule, checkpoint, newest, record, is_terminal=is_terminal, note=note
        )


def data_of_run(run: str) -> tuple[Path, GraphDataModule]:
    """The checkpoint file of a run, and its data.

    Args:
        run: run folder or checkpoint file.

    Raises:
        RunError: If there is no such checkpoint, or the data have changed since training.
    """
    checkpoint = read_checkpoint(find_checkpoint(run))
    folder = checkpoint.path.parent.parent
    record = _run_record(checkpoint, _newest(checkpoint))
    cfg = stored_config(record["config"], folder)
    with moved_files(cfg, record["config"], folder):
        datamodule = _own_data(cfg, checkpoint)
    if note := _note_of_changes(checkpoint, datamodule.spec, ()):
        raise RunError(f"dataset: {note}")
    return checkpoint.path, datamodule


def _own_data(cfg: DictConfig, checkpoint: Checkpoint) -> GraphDataModule:
    """The data module of a config, after a check that the model can read it."""
    seed_everything(cfg.seed, workers=True, verbose=False)
    trained = checkpoint.spec
    lay_out_columns(cfg, trained)
    datamodule = build_datamodule(cfg)
    if unlike := trained.differences(loaded_spec(datamodule)):
        raise RunError(f"{checkpoint.path} cannot read this data: {'; '.join(unlike)}")
    return datamodule


def _note_of_changes(checkpoint: Checkpoint, spec: DataSpec, changes: Sequence[str]) -> str:
    """A note that the data have changed since training; empty if not, or if that was requested."""
    is_meant = any(c.startswith("dataset.") and not c.startswith(_BATCHES) for c in changes)
    changed = "" if is_meant else spec.record.changed_since(checkpoint.spec.record)
    return f"the data differ from those of the training: {changed}" if changed else ""


def _run_record(checkpoint: Checkpoint, newest: Checkpoint) -> dict[str, Any]:
    """The record in a checkpoint, with the command and config of all continuations.

    A continuation without a better epoch leaves the best checkpoint of the earlier run in place.
    """
    return {**newest.record, "metrics": checkpoint.record["metrics"]}


def _newest(checkpoint: Checkpoint) -> Checkpoint:
    """The last checkpoint of the run, if this is its best one; otherwise the checkpoint itself."""
    last = checkpoint.path.with_name("last.ckpt")
    if checkpoint.path.name != "best.ckpt" or not last.is_file():
        return checkpoint
    return read_checkpoint(last)


def _tested(
    cfg: DictConfig, datamodule: GraphDataModule, checkpoint: Checkpoint, newest: Checkpoint,
    record: dict[str, Any], *, is_terminal: bool, note: str,
) -> RunOutcome:  # fmt: skip
    task = build_task(cfg, datamodule)
    task.record = record
    checkpoint.load_into(task)
    result = tested(
        test_trainer(cfg, is_terminal=is_terminal), task, datamodule,
        checkpoint=checkpoint.path.name, best_epoch=checkpoint.epochs, note=note,
    )  # fmt: skip
    return RunOutcome(
        folder=RunFolder(checkpoint.path.parent.parent), cfg=cfg, task=task, datamodule=datamodule,
        tested=result, val=checkpoint.metrics, effort=Effort.of(newest),
        val_cut=cut_of(cfg.trainer.get("limit_val_batches"), len(datamodule.val_dataloader())),
    )  # fmt: skip
