"""One run from its config to its result."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra.utils import get_class
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, OmegaConf

from geozoo.config import check_pair, packages_of
from geozoo.data import DataSpec, GraphDataModule
from geozoo.hub import TrainedModel
from geozoo.machine.provenance import versions
from geozoo.runs.build import build_datamodule, build_task, build_trainer, complete_model
from geozoo.runs.callbacks import drop_averaging, hardware_facts
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.continued import continued_energies, lay_out_architecture
from geozoo.runs.elastic import check_elastic, make_elastic, test_sizes
from geozoo.runs.errors import RunError, user_errors_named
from geozoo.runs.folder import RunFolder
from geozoo.runs.initial_weights import add_adapters, freeze, take_weights
from geozoo.runs.interruptions import interruption_explained
from geozoo.runs.metrics_file import gather_metrics
from geozoo.runs.outcome import Effort, RunOutcome
from geozoo.runs.paths import reads_own_files
from geozoo.runs.prepare import is_main_process
from geozoo.runs.resume import EarlierRun
from geozoo.runs.testing import cut_of, tested
from geozoo.runs.trained import (
    lay_out_elements,
    lay_out_readings,
    reading_differences,
    trained_model,
)
from geozoo.runs.trainer_callbacks import callbacks_of
from geozoo.tasks import GraphTask

_LOG = logging.getLogger(__name__)


def train(
    cfg: DictConfig, folder: RunFolder, *, invocation: Mapping[str, Any],
    earlier: EarlierRun | None = None, is_terminal: bool = False,
    callbacks: Sequence[Callback] = (),
) -> RunOutcome:  # fmt: skip
    """Train, test the best checkpoint, and collect the result.

    Args:
        cfg: a checked config.
        folder: the run folder, new or (if resumed) with a last checkpoint.
        invocation: ``command``, ``choices`` (model, dataset, recipe, ...) and ``overrides``, for
            the record.
        earlier: the run to resume from its last checkpoint; None: a new run.
        is_terminal: whether a progress bar can be drawn.
        callbacks: further callbacks of Lightning, such as one that prunes trials of a search.

    Raises:
        RunError: If the loss is not finite, the run is interrupted, or the initial weights do not
            fit.
    """
    if cfg.adapter_rank is not None and cfg.init_from is None:
        raise RunError("adapter_rank: adapters need trained weights; set init_from")
    check_elastic(cfg)
    if cfg.get("init_energies") is not None and cfg.init_from is None:
        raise RunError("init_energies: there is no trained potential; set init_from")
    inherited: str | None = None
    is_tuned = cfg.init_from is not None and earlier is None
    source = _source(str(cfg.init_from)) if is_tuned else None
    seed_everything(cfg.seed, workers=True, verbose=False)
    if source is not None:
        lay_out_elements(cfg, source)
        lay_out_readings(cfg, source, invocation["overrides"])
        inherited = lay_out_architecture(cfg, source, invocation["overrides"])
    datamodule = build_datamodule(cfg)
    spec = loaded_spec(datamodule)
    if earlier is not None:
        _check_same_data(cfg, folder, spec.record.changed_since(earlier.data))
    left = datamodule.model_tensors()
    _choose_task(cfg, spec, invocation["choices"])
    arguments = _task_class(cfg).model_arguments(spec, cfg.task)
    cfg.model = complete_model(cfg.model, arguments, left=left)
    task = build_task(cfg, datamodule)
    began = None if source is None else take_weights(task, source)
    apart = None if source is None else reading_differences(source, spec)
    adapted = add_adapters(task.model, cfg.adapter_rank, cfg.adapter_layers, cfg.adapter_trained)
    kept = freeze(task.model, cfg.freeze)
    resized = make_elastic(cfg, task)
    task.record = _record(cfg, spec, invocation)
    if is_main_process() and earlier is None:
        folder.create()
        folder.write_start(cfg, info=task.record, splits=datamodule.splits)
        _LOG.info("run folder: %s", folder.path)
        for line in filter(None, (inherited, began, apart, adapted, kept, resized)):
            _LOG.info(line)
    trainer = build_trainer(
        cfg, folder, monitor=task.monitor, is_terminal=is_terminal, further=callbacks
    )
    with interruption_explained(folder, cfg):
        try:
            _prepare(task, datamodule, trainer, earlier)
            if source is not None:
                _log_line(continued_energies(cfg.get("init_energies"), task, source, datamodule))
            _fit(trainer, task, datamodule, folder, earlier)
            return _finish(cfg, folder, trainer, task, datamodule)
        finally:  # after the test, which uses the logger too
            if is_main_process():
                gather_metrics(folder)


def _source(model: str) -> TrainedModel:
    """The model that provides the initial weights."""
    try:
        return trained_model(model)
    except RunError as error:
        raise RunError(f"init_from: {error}") from error


def loaded_spec(datamodule: GraphDataModule) -> DataSpec:
    """The data specification; reads or downloads the data."""
    with user_errors_named("dataset"):
        return datamodule.spec


def _task_class(cfg: DictConfig) -> type[GraphTask]:
    return cast(type[GraphTask], get_class(cfg.task["_target_"]))


def _choose_task(cfg: DictConfig, spec: DataSpec, choices: Mapping[str, Any]) -> None:
    """Replace the task in a config if the data decide on another one.

    Raises:
        ConfigError: If the model cannot learn that task.
    """
    before = cfg.task["_target_"]
    cfg.task = _task_class(cfg).task_node(spec, cfg.task)
    if cfg.task["_target_"] != before:
        names = str(choices.get("model")), str(choices.get("dataset"))
        check_pair(cfg.model, cfg.dataset, cfg.task, names=names)


def _check_same_data(cfg: DictConfig, folder: RunFolder, changed: str) -> None:
    """Reject resuming a run if the user's data files have changed.

    Simulated or preprocessed data may differ in their last bits on another machine, which only
    causes a warning.
    """
    if changed and not reads_own_files(cfg):
        _LOG.warning(
            "dataset: the data are not bitwise identical to those of the training: %s", changed
        )
    elif changed:
        raise RunError(
            f"dataset: the data differ from those that {folder.path} was trained on: {changed}. A "
            "run cannot be resumed on other data: restore the former data, or start a new run "
            f"from its weights with {shlex.quote(f'init_from={folder.path}')}"
        )


def _prepare(
    task: GraphTask, datamodule: GraphDataModule, trainer: Trainer, earlier: EarlierRun | None
) -> None:
    parts = trainer.world_size * trainer.accumulate_grad_batches
    with user_errors_named("dataset"):
        task.extend_data(datamodule)
        done = task.prepare(datamodule, parts) if earlier is None else None
    _log_line(done)


def _log_line(line: str | None) -> None:
    if line is not None:
        _LOG.info(line)


def _fit(
    trainer: Trainer, task: GraphTask, datamodule: GraphDataModule, folder: RunFolder,
    earlier: EarlierRun | None,
) -> None:  # fmt: skip
    if earlier is not None:
        _log_finished(earlier.epochs, trainer.max_epochs, folder)
    if task.is_trained:
        last = None if earlier is None else folder.last
        trainer.fit(task, datamodule=datamodule, ckpt_path=last, weights_only=True)
        return
    trainer.validate(task, datamodule=datamodule, verbose=False)
    for path in (folder.best, folder.last):
        trainer.save_checkpoint(path)


def _log_finished(done: int, planned: int | None, folder: RunFolder) -> None:
    """Log if a resumed run is already finished.

    Raises:
        RunError: If fewer epochs are requested than completed.
    """
    if planned is not None and 0 <= planned < done:
        raise RunError(
            f"trainer.max_epochs must be at least {done}, the completed epochs of {folder.path}, "
            f"got {planned}"
        )
    if planned == done:
        _LOG.info(
            "this run is already finished: %d of %d epochs are done. To train more: "
            "geozoo train %s trainer.max_epochs=%d", done, planned,
            shlex.quote(f"resume={folder.path}"), 2 * done,
        )  # fmt: skip


def _finish(
    cfg: DictConfig, folder: RunFolder, trainer: Trainer, task: GraphTask,
    datamodule: GraphDataModule,
) -> RunOutcome:  # fmt: skip
    timer = next(c for c in callbacks_of(trainer) if isinstance(c, Timer))
    effort = Effort(
        epochs=_epochs_done(trainer, folder), steps=trainer.global_step,
        train_time_s=timer.time_elapsed("train"), **hardware_facts(trainer),
    )  # fmt: skip
    drop_averaging(trainer)
    best = read_checkpoint(folder.best if folder.best.exists() else folder.last)
    best.load_into(task)
    result = tested(
        trainer, task, datamodule, checkpoint=best.path.name, best_epoch=best.epochs,
        is_run=bool(cfg.test),
    )  # fmt: skip
    if task.elastic is not None and cfg.test and trainer.world_size == 1:
        test_sizes(task, datamodule, folder.sizes)
    val_cut = cut_of(trainer.limit_val_batches, len(datamodule.val_dataloader()))
    return RunOutcome(
        folder=folder, cfg=cfg, task=task, datamodule=datamodule, tested=result, val=best.metrics,
        val_cut=val_cut, effort=effort,
    )  # fmt: skip


def _epochs_done(trainer: Trainer, folder: RunFolder) -> int:
    """Number of epochs of the whole run; Lightning counts one less if none is left to train."""
    if not folder.last.is_file():
        return trainer.current_epoch
    return max(trainer.current_epoch, read_checkpoint(folder.last).epochs)


def _record(cfg: DictConfig, spec: DataSpec, invocation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **invocation,
        "config": OmegaConf.to_container(cfg, resolve=True),
        "data": spec.to_dict(),
        "versions": {**versions(), **packages_of(_targets(cfg))},
    }


def _targets(cfg: DictConfig) -> list[str]:
    """The classes of model, dataset and task."""
    return [str(cfg[name].get("_target_")) for name in ("model", "dataset", "task")]
