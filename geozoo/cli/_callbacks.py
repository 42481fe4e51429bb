"""The callbacks of a run."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    ModelCheckpoint,
    RichProgressBar,
    Timer,
    WeightAveraging,
)
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from geozoo.cli._averaging import WeightsAveraged
from geozoo.cli._durations import duration
from geozoo.cli._early_stopping import RunStopping
from geozoo.cli._folder import RunFolder
from geozoo.cli._freed_memory import FreedMemory
from geozoo.zoo.provenance import device_name, peak_memory_bytes

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
        _timer(cfg.trainer.get("max_time")),
        Hardware(),
        FreedMemory(),
        RunBar(refresh_rate=_REFRESH) if is_terminal else ProgressLines(monitor),
        ModelCheckpoint(
            folder.checkpoints, "best", monitor=monitor, mode="min", enable_version_counter=False
        ),
        ModelCheckpoint(
            folder.checkpoints, "last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if cfg.ema_decay is not None:
        callbacks.append(WeightsAveraged(cfg.ema_decay))
    if cfg.early_stopping_patience is not None:
        callbacks.append(RunStopping(monitor, cfg.early_stopping_patience))
    return callbacks


class RunTimer(Timer):
    """Measures a training, ends it after an epoch when its time is up, and has that one validated.

    The last epoch is validated whatever ``check_val_every_n_epoch`` says: otherwise the weights
    that a training ends with could never be chosen. An epoch from which a run is ended can be
    continued exactly.

    Args:
        duration: as of Lightning's ``Timer``; None: no limit.
    """

    _usual: int | None = None

    def __init__(self, duration: Any) -> None:
        super().__init__(duration=duration, interval="epoch")

    @property
    def state_key(self) -> str:
        """The key of the state in a checkpoint."""
        return "Timer"

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Have the epoch validated if it is the last one; its last batch is done."""
        every = trainer.check_val_every_n_epoch
        if not trainer.is_last_batch or every is None:
            return
        done = trainer.current_epoch + 1
        if done % every and (done == trainer.max_epochs or self._is_over(trainer)):
            self._usual, trainer.check_val_every_n_epoch = every, 1

    def on_train_epoch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """End the training after a validated epoch, if its time is up."""
        every = trainer.check_val_every_n_epoch
        if every is None or (trainer.current_epoch + 1) % every == 0:
            super().on_train_epoch_end(trainer, *args, **options)

    def on_train_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Stop the clock; not before are checkpoints of the last epoch written."""
        super().on_train_end(trainer, *args, **options)
        if self._usual is not None:
            trainer.check_val_every_n_epoch, self._usual = self._usual, None

    def _is_over(self, trainer: Trainer) -> bool:
        """Whether the time is up, by the clock of the first process."""
        remaining = self.time_remaining()
        return remaining is not None and bool(trainer.strategy.broadcast(remaining <= 0))


def _timer(max_time: Any) -> RunTimer:
    """Measures the training and ends it."""
    plain = OmegaConf.to_container(max_time) if isinstance(max_time, DictConfig) else max_time
    if plain is None or isinstance(plain, str | dict):
        with contextlib.suppress(MisconfigurationException, TypeError, OverflowError):
            timer = RunTimer(plain)
            if plain is None or timer.time_remaining() > 0:
                return timer
    raise ValueError(f"max_time must be DD:HH:MM:SS or {{hours: 1, minutes: 30}}, got {plain!r}")


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
        self.seed_epoch(trainer.current_epoch, trainer.global_rank)

    def seed_epoch(self, epoch: int, rank: int) -> None:
        """Seed torch for an epoch of a process."""
        numbers = (self.seed, epoch, rank)
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
        "peak_memory_mb": peak_memory_bytes(trainer.strategy.root_device) / 2**20,
    }


class RunBar(RichProgressBar):
    """The bar of an epoch on the standard error, a terminal; epochs are counted from 1.

    Args:
        options: as of Lightning's bar.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(console_kwargs={"stderr": True}, **options)

    def _get_train_description(self, current_epoch: int) -> str:
        text = f"Epoch {current_epoch + 1} of {self.trainer.max_epochs}"
        return f"{text:{len(self.validation_description)}}"


class Progress:
    """How far a training is: its best validation so far, and the time that is left.

    Attributes:
        best: the lowest value of the monitored metric; infinite before the first.
        best_epoch: the epoch of it, counted from 1.
    """

    def __init__(self) -> None:
        self.best, self.best_epoch = math.inf, 0
        self._began: tuple[float, int] | None = None

    def begin(self, epochs: int) -> None:
        """Start the clock of this process, after so many epochs of the run."""
        self._began = time.monotonic(), epochs

    def validated(self, value: float, epoch: int) -> None:
        """Take note of a validation after so many epochs."""
        if value < self.best:
            self.best, self.best_epoch = value, epoch

    def told(self, losses: Mapping[str, float], epoch: int, total: int, limit: float | None) -> str:
        """A line after an epoch: losses, the best so far, and the time left.

        Args:
            losses: values by name.
            epoch: epochs done.
            total: epochs of the whole run.
            limit: seconds until a time limit ends it; None: no limit.
        """
        parts = [f"{name} {value:.4g}" for name, value in losses.items()]
        if self.best_epoch:
            parts.append(f"best {self.best:.4g} in epoch {self.best_epoch}")
        if self._began is not None and self._began[1] < epoch < total:
            since, before = self._began
            left = (time.monotonic() - since) / (epoch - before) * (total - epoch)
            left = left if limit is None else min(left, max(limit, 0.0))
            parts.append(f"{duration(left)} left")
        return f"epoch {epoch} of {total}: {', '.join(parts)}"

    def state_dict(self) -> dict[str, Any]:
        """The best validation so far."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class ProgressLines(Callback):
    """A line per so many epochs, and some within epochs that are few and long, for logs.

    Args:
        monitor: metric to show.
        pause: least seconds between a line within an epoch and the line before it.
    """

    def __init__(self, monitor: str, *, pause: float = 60.0) -> None:
        self.monitor, self.pause = monitor, pause
        self._last = time.monotonic()
        self._tenths = 0
        self._progress = Progress()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._progress.begin(trainer.current_epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take note of the validation."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is not None and not trainer.sanity_checking:
            self._progress.validated(float(value), trainer.current_epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """The best validation so far."""
        return self._progress.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state."""
        self._progress.load_state_dict(state_dict)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count the parts of the epoch."""
        self._tenths = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the part of a long epoch that is done, at every tenth of it at most."""
        tenths = int(10 * (batch_idx + 1) / trainer.num_training_batches)
        is_long = time.monotonic() - self._last >= self.pause
        few = _epochs(trainer) <= _NUM_LINES
        if few and is_long and self._tenths < tenths < 10:
            self._say("epoch %d of %d: %d %% of its batches", trainer, 10 * tenths)
        self._tenths = tenths

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch if it is one of the chosen."""
        total, epoch = _epochs(trainer), trainer.current_epoch + 1
        if epoch % max(1, total // _NUM_LINES) == 0 or epoch == total:
            shown = sorted({"train/loss", self.monitor} & set(trainer.callback_metrics))
            values = {name: float(trainer.callback_metrics[name]) for name in shown}
            limits = [c.time_remaining() for c in trainer.callbacks if isinstance(c, Timer)]
            limit = min((limit for limit in limits if limit is not None), default=None)
            if trainer.is_global_zero:
                _LOG.info(self._progress.told(values, epoch, total, limit))
            self._last = time.monotonic()

    def _say(self, text: str, trainer: Trainer, what: Any) -> None:
        if trainer.is_global_zero:
            _LOG.info(text, trainer.current_epoch + 1, _epochs(trainer), what)
        self._last = time.monotonic()


def _epochs(trainer: Trainer) -> int:
    return trainer.max_epochs or 1
