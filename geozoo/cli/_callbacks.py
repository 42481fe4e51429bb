"""The callbacks of a run."""

from __future__ import annotations

import logging
import resource
import sys
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
    Timer,
    WeightAveraging,
)
from omegaconf import DictConfig

from geozoo.cli._folder import RunFolder
from geozoo.zoo.provenance import device_name

_LOG = logging.getLogger(__name__)
#: Lines about progress where there is no terminal.
_NUM_LINES = 20
#: Batches between two drawings of the bar; a drawing costs about as much as a small step.
_REFRESH = 10


def make_callbacks(
    cfg: DictConfig, folder: RunFolder, *, monitor: str, is_terminal: bool
) -> list[Callback]:
    """Checkpoints, averaging, early stopping and progress, as the config wants them.

    Args:
        cfg: the config.
        folder: where checkpoints go.
        monitor: the metric that chooses the best checkpoint.
        is_terminal: whether a progress bar can be drawn.
    """
    callbacks: list[Callback] = [
        SeededEpochs(cfg.seed),
        Timer(),
        Hardware(),
        RichProgressBar(refresh_rate=_REFRESH) if is_terminal else ProgressLines(monitor),
        ModelCheckpoint(
            folder.checkpoints, "best", monitor=monitor, mode="min", enable_version_counter=False
        ),
        ModelCheckpoint(
            folder.checkpoints, "last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if cfg.ema_decay is not None:
        # Buffers are statistics and grids: they are copied, not averaged.
        callbacks.append(EMAWeightAveraging(decay=cfg.ema_decay, use_buffers=False))
    if cfg.early_stopping_patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=cfg.early_stopping_patience, mode="min"))
    return callbacks


def drop_averaging(trainer: Trainer) -> None:
    """Take the averaging out after training: it would replace tested weights by its own."""
    trainer.callbacks = [c for c in trainer.callbacks if not isinstance(c, WeightAveraging)]


class SeededEpochs(Callback):
    """Seeds torch at every epoch, so that dropout of a resumed run repeats too.

    Args:
        seed: seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed from the run's seed, the epoch and the rank."""
        numbers = (self.seed, trainer.current_epoch, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


class Hardware(Callback):
    """Notes in every checkpoint where the training runs and how much memory it has taken so far."""

    _trainer: Trainer | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember whose memory it is."""
        self._trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """The name of the device and the largest memory until now."""
        return {} if self._trainer is None else hardware_facts(self._trainer)


def hardware_facts(trainer: Trainer) -> dict[str, Any]:
    """Name of the device as ``device``, and ``peak_memory_mb`` so far."""
    name = device_name(trainer.strategy.root_device)
    return {
        "device": f"{trainer.world_size} x {name}" if trainer.world_size > 1 else name,
        "peak_memory_mb": _peak_memory_mb(trainer.strategy.root_device),
    }


def _peak_memory_mb(device: torch.device) -> float:
    """Of the device's allocator, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class ProgressLines(Callback):
    """A line per so many epochs, for logs of batch jobs.

    Args:
        monitor: metric to show.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch if it is one of the chosen."""
        total, epoch = trainer.max_epochs or 1, trainer.current_epoch + 1
        every = max(1, total // _NUM_LINES)
        if trainer.is_global_zero and (epoch % every == 0 or epoch == total):
            shown = {"train/loss", self.monitor} & set(trainer.callback_metrics)
            values = [f"{name} {_value(trainer.callback_metrics[name])}" for name in sorted(shown)]
            _LOG.info("epoch %d of %d: %s", epoch, total, ", ".join(values))


def _value(value: Any) -> str:
    return f"{float(value):.4g}"
