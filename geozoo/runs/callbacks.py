"""The callbacks of a run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    ModelCheckpoint,
    Timer,
    WeightAveraging,
)
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from geozoo.contracts import direction_of
from geozoo.machine.provenance import device_name, peak_memory_bytes
from geozoo.runs.averaging import WeightsAveraged
from geozoo.runs.early_stopping import RunStopping
from geozoo.runs.folder import RunFolder
from geozoo.runs.freed_memory import FreedMemory
from geozoo.runs.progress import ProgressLines
from geozoo.runs.run_bar import RunBar
from geozoo.runs.trainer_callbacks import callbacks_of


def make_callbacks(
    cfg: DictConfig, folder: RunFolder, *, monitor: str, is_terminal: bool,
    further: Sequence[Callback] = (),
) -> list[Callback]:  # fmt: skip
    """Callbacks for checkpoints, weight averaging, early stopping and progress.

    Args:
        cfg: the config.
        folder: folder of the checkpoints.
        monitor: the metric that selects the best checkpoint.
        is_terminal: whether a progress bar can be drawn.
        further: callbacks of the caller, called before those of the run.
    """
    callbacks: list[Callback] = [
        *further,
        SeededEpochs(cfg.seed),
        _timer(cfg.trainer.get("max_time")),
        Hardware(),
        FreedMemory(),
        RunBar(monitor) if is_terminal else ProgressLines(monitor),
        ModelCheckpoint(
            folder.checkpoints,
            "best",
            monitor=monitor,
            mode=direction_of(monitor),
            enable_version_counter=False,
        ),
        ModelCheckpoint(
            folder.checkpoints, "last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if cfg.ema_decay is not None:
        callbacks.append(WeightsAveraged(cfg.ema_decay, cfg.get("ema_start", 0)))
    if cfg.early_stopping_patience is not None:
        callbacks.append(RunStopping(monitor, cfg.early_stopping_patience))
    return callbacks


class RunTimer(Timer):
    """Measures the training time, and stops after a validated epoch when the time limit is reached.

    The last epoch is always validated, regardless of ``check_val_every_n_epoch``: otherwise the
    final weights could never be selected. A run stopped this way can be resumed exactly. The CPU
    time of training, in this process, is measured too: it does not depend on other programs.

    Args:
        duration: time limit, as for Lightning's ``Timer``; None: no limit.
    """

    _usual: int | None = None

    def __init__(self, duration: Any) -> None:
        super().__init__(duration=duration, interval="epoch")
        self._cpu_before, self._cpu_start = 0.0, time.process_time()

    def on_train_start(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Start both clocks."""
        super().on_train_start(trainer, *args, **options)
        self._cpu_start = time.process_time()

    def state_dict(self) -> dict[str, Any]:
        """The state of Lightning's timer, and the CPU time of training so far in seconds."""
        cpu = self._cpu_before + time.process_time() - self._cpu_start
        return {**super().state_dict(), "cpu_time_s": cpu}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue both clocks; runs of earlier versions have no CPU time."""
        super().load_state_dict(state_dict)
        self._cpu_before = state_dict.get("cpu_time_s", 0.0)

    @property
    def state_key(self) -> str:
        """The key of the state in a checkpoint."""
        return "Timer"

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Request a validation after the last batch of the last epoch."""
        every = trainer.check_val_every_n_epoch
        if not trainer.is_last_batch or every is None:
            return
        done = trainer.current_epoch + 1
        if done % every and (done == trainer.max_epochs or self._is_over(trainer)):
            self._usual, trainer.check_val_every_n_epoch = every, 1

    def on_train_epoch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Stop training after a validated epoch if the time limit is reached."""
        every = trainer.check_val_every_n_epoch
        if every is None or (trainer.current_epoch + 1) % every == 0:
            super().on_train_epoch_end(trainer, *args, **options)

    def on_train_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Stop the clock, after the checkpoints of the last epoch are written."""
        super().on_train_end(trainer, *args, **options)
        if self._usual is not None:
            trainer.check_val_every_n_epoch, self._usual = self._usual, None

    def _is_over(self, trainer: Trainer) -> bool:
        """Whether the time limit is reached, by the clock of rank 0."""
        remaining = self.time_remaining()
        return remaining is not None and bool(trainer.strategy.broadcast(remaining <= 0))


def _timer(max_time: Any) -> RunTimer:
    """The timer of a run, with its time limit."""
    plain = OmegaConf.to_container(max_time) if isinstance(max_time, DictConfig) else max_time
    if plain is None or isinstance(plain, str | dict):
        with contextlib.suppress(MisconfigurationException, TypeError, OverflowError):
            timer = RunTimer(plain)
            if plain is None or (timer.time_remaining() or 0) > 0:
                return timer
    raise ValueError(f"max_time must be DD:HH:MM:SS or {{hours: 1, minutes: 30}}, got {plain!r}")


def drop_averaging(trainer: Trainer) -> None:
    """Remove weight averaging after training: it would replace the weights to be tested."""
    callbacks = callbacks_of(trainer)
    callbacks[:] = [c for c in callbacks if not isinstance(c, WeightAveraging)]


class SeededEpochs(Callback):
    """Seeds torch at every epoch, so that dropout is reproduced in a resumed run.

    Args:
        seed: random seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed from the run's seed, the epoch and the rank."""
        self.seed_epoch(trainer.current_epoch, trainer.global_rank)

    def seed_epoch(self, epoch: int, rank: int) -> None:
        """Seed torch for an epoch of a process."""
        numbers = (self.seed, epoch, rank)
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


class Hardware(Callback):
    """Stores the device and the peak memory so far in every checkpoint."""

    _trainer: Trainer | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the trainer, whose device is measured."""
        self._trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """The name of the device and the peak memory so far."""
        return {} if self._trainer is None else hardware_facts(self._trainer)


def hardware_facts(trainer: Trainer) -> dict[str, Any]:
    """Name of the device as ``device``, and ``peak_memory_mb`` so far."""
    name = device_name(trainer.strategy.root_device)
    return {
        "device": f"{trainer.world_size} x {name}" if trainer.world_size > 1 else name,
        "peak_memory_mb": peak_memory_bytes(trainer.strategy.root_device) / 2**20,
    }
