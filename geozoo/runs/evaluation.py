"""A test of a checkpoint, from what the checkpoint itself says."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning import seed_everything
from omegaconf import DictConfig

from geozoo.config import check
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.data import DataSpec, GraphDataModule
from geozoo.hub.checkpoints import Checkpoint
from geozoo.runs.build import build_datamodule, build_task, check_trainer
from geozoo.runs.checkpoints import find_checkpoint, read_checkpoint
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.outcome import Effort, RunOutcome
from geozoo.runs.overrides import apply_overrides
from geozoo.runs.paths import make_absolute, moved_files, reads_own_files
from geozoo.runs.resume import stored_config
from geozoo.runs.testing import cut_of, test_trainer, tested
from geozoo.runs.trained import lay_out_columns
from geozoo.runs.training import loaded_spec

_LOG = logging.getLogger(__name__)
#: What may differ from the run: the weights stay.
_FREE = ("dataset.", "task.", "trainer.")
#: Of these, what leaves the data as they are.
_BATCHES = "dataset.loader."


def evaluation(
    run: str, changes: Sequence[str], *, is_terminal: bool = False, is_saved: bool = False
) -> RunOutcome:
    """The outcome of a test.

    Args:
        run: run folder or checkpoint file.
        changes: as in `evaluate`.
        is_terminal: whether a progress bar can be drawn.
        is_saved: whether the test becomes part of the record of the run.

    Raises:
        RunError: when there is no such checkpoint, or a change is not allowed; or the data of the
            run have changed, for a test to be saved (for any other that is a warning and a note).
        ConfigError: for a change that does not fit a signature.
    """
    checkpoint = read_checkpoint(find_checkpoint(run))
    newest = _newest(checkpoint)
    record = _run_record(checkpoint, newest)
    folder = checkpoint.path.parent.parent
    cfg = stored_config(record["config"], folder)
    with moved_files(cfg, record["config"], folder):
        _change(cfg, checkpoint.path, changes)
        if changes:  # they are part of what made the numbers
            again = shlex.join(["geozoo-evaluate", "<run>", *changes])
            record["command"] = f"{record['command']}; {again}"
            record["overrides"] = [*record["overrides"], *changes]
        datamodule = _own_data(cfg, checkpoint)
        note = _note_of_changes(checkpoint, datamodule.spec, changes)
        if note and is_saved and reads_own_files(cfg):
            raise RunError(f"dataset: {note}: such a test is no part of the record of the run")
        if note:
            _LOG.warning(note)
        return _tested(
            cfg, datamodule, checkpoint, newest, record, is_terminal=is_terminal, note=note
        )


def _own_data(cfg: DictConfig, checkpoint: Checkpoint) -> GraphDataModule:
    """The data of a config, which the model can read."""
    seed_everything(cfg.seed, workers=True, verbose=False)
    trained = checkpoint.spec
    lay_out_columns(cfg, getattr(trained, "elements", ()))
    datamodule = build_datamodule(cfg)
    if unlike := trained.differences(loaded_spec(datamodule)):
        raise RunError(f"{checkpoint.path} cannot read this data: {'; '.join(unlike)}")
    return datamodule


def _note_of_changes(checkpoint: Checkpoint, spec: DataSpec, changes: Sequence[str]) -> str:
    """That the data have changed under a run; empty where they have not, or were asked to."""
    is_meant = any(w.startswith("dataset.") and not w.startswith(_BATCHES) for w in changes)
    changed = "" if is_meant else spec.record.changed_since(checkpoint.spec.record)
    return f"the data are not those of the training: {changed}" if changed else ""


def _change(cfg: DictConfig, checkpoint: Path, changes: Sequence[str]) -> None:
    apply_overrides(cfg, changes, allowed=_FREE, reason="a test keeps the model of its run")
    make_absolute(cfg)
    check(
        cfg,
        root=RunOptions,
        provided=PROVIDED,
        open_nodes=("model",),
        origin=lambda key: str(checkpoint),
    )
    check_trainer(cfg)


def _run_record(checkpoint: Checkpoint, newest: Checkpoint) -> dict[str, Any]:
    """What a run wrote into a checkpoint, with the command and config of all that was run.

    A continuation that finds no better epoch leaves the best checkpoint as the run before wrote it.
    """
    return {**newest.record, "metrics": checkpoint.record["metrics"]}


def _newest(checkpoint: Checkpoint) -> Checkpoint:
    """The last checkpoint of the run whose best one this is; any other one is itself the newest."""
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
