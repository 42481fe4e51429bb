"""One run from its config to its result."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, OmegaConf

from geozoo.cli._build import build_datamodule, build_task, build_trainer, complete_model
from geozoo.cli._callbacks import drop_averaging, hardware_facts
from geozoo.cli._checkpoints import load_weights, read_content, trained_epochs
from geozoo.cli._folder import RunFolder
from geozoo.cli._initial_weights import add_adapters, freeze, take_weights
from geozoo.cli._interruptions import interruption_explained
from geozoo.cli._metrics_file import gather_metrics
from geozoo.cli._options import RunError
from geozoo.cli._prepare import is_main_process
from geozoo.cli._run_bar import RunBar
from geozoo.cli._trained import (
    lay_out_elements,
    lay_out_readings,
    reading_differences,
    trained_model,
)
from geozoo.data import DataSpec, GraphDataModule
from geozoo.hub import TrainedModel
from geozoo.tasks import GraphTask, Potential
from geozoo.zoo.provenance import versions

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a finished run has to say.

    Attributes:
        folder: the run folder; None for a test that belongs to no run.
        cfg: the config, completed by the data.
        task: the trained task, with the weights that were tested.
        datamodule: the data that it was tested on.
        test: test metrics by name, without ``test/``; empty if not tested.
        baseline: the same metrics of the task's prediction without a model.
        val: validation metrics of the best checkpoint's epoch.
        facts: epochs, parameters, wall time, memory, device.
    """

    folder: RunFolder | None
    cfg: DictConfig
    task: GraphTask
    datamodule: GraphDataModule
    test: dict[str, float]
    baseline: dict[str, float]
    val: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)


def train(
    cfg: DictConfig, folder: RunFolder, *, words: Mapping[str, Any], is_resumed: bool = False,
    is_terminal: bool = False,
) -> Outcome:  # fmt: skip
    """Train, test the best checkpoint, and collect the result.

    Args:
        cfg: a checked config.
        folder: the run folder, new or (when resumed) with a last checkpoint.
        words: ``command``, ``choices`` (model, dataset, recipe, ...) and ``overrides``, for the
            record.
        is_resumed: continue from the last checkpoint.
        is_terminal: whether a progress bar can be drawn.

    Raises:
        RunError: when the loss is no number any more, or the user interrupts; or the weights to
            begin from do not fit.
    """
    if cfg.adapter_rank is not None and cfg.init_from is None:
        raise RunError("adapter_rank: updates need weights that they update; give init_from")
    is_tuned = cfg.init_from is not None and not is_resumed
    source = _source(str(cfg.init_from)) if is_tuned else None
    seed_everything(cfg.seed, workers=True, verbose=False)
    if source is not None:
        lay_out_elements(cfg, source)
        lay_out_readings(cfg, source, words["overrides"])
    datamodule = build_datamodule(cfg)
    spec = loaded_spec(datamodule)
    left = datamodule.model_tensors()
    arguments = get_class(cfg.task["_target_"]).model_arguments(spec, cfg.task)
    cfg.model = complete_model(cfg.model, arguments, left=left)
    task = build_task(cfg, datamodule)
    began = None if source is None else take_weights(task, source)
    apart = None if source is None else reading_differences(source, spec)
    adapted = add_adapters(task.model, cfg.adapter_rank, cfg.adapter_layers, cfg.adapter_trained)
    kept = freeze(task.model, cfg.freeze)
    task.record = _record(cfg, spec, words)
    if is_main_process() and not is_resumed:
        folder.create()
        folder.write_start(cfg, info=task.record, splits=datamodule.splits)
        _LOG.info("run folder: %s", folder.path)
        for told in filter(None, (began, apart, adapted, kept)):
            _LOG.info(told)
    trainer = build_trainer(cfg, folder, monitor=task.monitor, is_terminal=is_terminal)
    with interruption_explained(folder, cfg):
        try:
            _fit(trainer, task, datamodule, folder, last=folder.last if is_resumed else None)
            return _finish(cfg, folder, trainer, task, datamodule)
        finally:  # not before the test, which uses the logger too
            if is_main_process():
                gather_metrics(folder)


def _source(word: str) -> TrainedModel:
    """The model to begin from."""
    try:
        return trained_model(word)
    except RunError as error:
        raise RunError(f"init_from: {error}") from error


def loaded_spec(datamodule: GraphDataModule) -> DataSpec:
    """The description of the data, which is read or downloaded for it."""
    try:
        return datamodule.spec
    except (OSError, ValueError, ImportError) as error:
        raise RunError(f"dataset: {error}") from error


def test(
    trainer: Trainer, task: GraphTask, datamodule: GraphDataModule
) -> tuple[dict[str, float], dict[str, float]]:
    """Test metrics of the model and of the baseline, by name without ``test/``.

    Raises:
        RunError: for a potential that has no energies for a composition of the test part.
    """
    if isinstance(task, Potential):
        try:
            task.check_part(datamodule, "test")
        except ValueError as error:
            raise RunError(f"dataset: {error}") from error
    (values,) = trainer.test(task, datamodule=datamodule, verbose=False)

    def part(prefix: str) -> dict[str, float]:
        return {name: float(values[f"{prefix}{name}"]) for name in task.test_errors.names}

    return part("test/"), part("test/baseline_")


def test_cut(trainer: Trainer, datamodule: GraphDataModule) -> str:
    """Which part of the test part was tested, ``"2 of 25 batches"``; empty for all of it."""
    limit, total = trainer.limit_test_batches, len(datamodule.test_dataloader())
    tested = total if limit is None else limit if isinstance(limit, int) else int(limit * total)
    return f"{tested} of {total} batches" if tested < total else ""


def test_trainer(cfg: DictConfig, *, is_terminal: bool) -> Trainer:
    """A Lightning Trainer that tests and leaves nothing behind."""
    make = instantiate(cfg.trainer, _convert_="all", _partial_=True)
    return make(
        logger=False,
        callbacks=[RunBar()] if is_terminal else [],
        enable_checkpointing=False,
        enable_progress_bar=is_terminal,
    )


def _fit(
    trainer: Trainer,
    task: GraphTask,
    datamodule: GraphDataModule,
    folder: RunFolder,
    *,
    last: Path | None,
) -> None:
    parts = trainer.world_size * trainer.accumulate_grad_batches
    try:
        done = task.prepare(datamodule, parts) if last is None else None
    except ValueError as error:
        raise RunError(f"dataset: {error}") from error
    if done is not None:
        _LOG.info(done)
    if last is not None:
        _tell_finished(last, trainer.max_epochs, folder)
    if task.is_trained:
        trainer.fit(task, datamodule=datamodule, ckpt_path=last, weights_only=True)
        return
    trainer.validate(task, datamodule=datamodule, verbose=False)
    for path in (folder.best, folder.last):
        trainer.save_checkpoint(path)


def _tell_finished(last: Path, planned: int | None, folder: RunFolder) -> None:
    """Log that a continued run was finished before, if it was.

    Raises:
        RunError: for fewer epochs than are done.
    """
    done = read_content(last)["epoch"] + 1
    if planned is not None and 0 <= planned < done:
        raise RunError(
            f"trainer.max_epochs must be at least {done}, the epochs that {folder.path} has done, "
            f"got {planned}"
        )
    if planned == done:
        _LOG.info(
            "this run was finished: %d of %d epochs are done, so nothing is trained. For more: "
            "geozoo train resume=%s trainer.max_epochs=%d", done, planned, folder.path, 2 * done,
        )  # fmt: skip


def _finish(
    cfg: DictConfig, folder: RunFolder, trainer: Trainer, task: GraphTask,
    datamodule: GraphDataModule,
) -> Outcome:  # fmt: skip
    timer = next(c for c in trainer.callbacks if isinstance(c, Timer))
    facts = {
        "epochs": _epochs_done(trainer, folder),
        "steps": trainer.global_step,
        "train_time_s": timer.time_elapsed("train"),
    }
    drop_averaging(trainer)
    best = folder.best if folder.best.exists() else folder.last
    content = load_weights(task, best)
    facts.update(best_epoch=trained_epochs(content), checkpoint=best.name)
    val = {name.removeprefix("val/"): value for name, value in content["geozoo"]["metrics"].items()}
    started = time.perf_counter()
    tested, baseline = test(trainer, task, datamodule) if cfg.test else ({}, {})
    facts["test_time_s"] = time.perf_counter() - started
    facts["test_cut"] = test_cut(trainer, datamodule) if tested else ""
    facts.update(hardware_facts(trainer), parameters=num_parameters(task))
    return Outcome(folder, cfg, task, datamodule, tested, baseline, val, facts)


def _epochs_done(trainer: Trainer, folder: RunFolder) -> int:
    """Epochs of the whole run; Lightning counts one less where it has none left to train."""
    if not folder.last.is_file():
        return trainer.current_epoch
    return max(trainer.current_epoch, trained_epochs(read_content(folder.last)))


def _record(cfg: DictConfig, spec: DataSpec, words: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **words,
        "config": OmegaConf.to_container(cfg, resolve=True),
        "data": spec.to_dict(),
        "versions": versions(),
    }


def num_parameters(task: GraphTask) -> int:
    """Numbers that are trained."""
    return sum(p.numel() for p in task.model.parameters())
