"""The time of training steps and validation batches, measured in Lightning's loop."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

#: Steps before the measurement: kernels are compiled and caches filled. Then at least and at most
#: this many are measured.
_WARM, _LEAST, _MOST = 3, 4, 60


class StepClock(Callback):
    """Measures steps and validation batches, then stops training.

    A step lasts from the end of a batch to the end of the next, so that loading, averaging of
    weights and logging are part of it.

    Args:
        seconds: wall time to spend after the warm-up.

    Attributes:
        steps: wall and CPU time of each measured step in seconds.
        validations: wall and CPU time of each measured validation batch.
        epoch_ends: wall and CPU time between the last batch of an epoch and the first of the next,
            without the validation: checkpoints and logs.
        train_batches: training batches of an epoch.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps: list[tuple[float, float]] = []
        self.validations: list[tuple[float, float]] = []
        self.epoch_ends: list[tuple[float, float]] = []
        self.train_batches = 0
        self._done = 0
        self._last = self._batch = self._now(None)
        self._ended: tuple[float, float] | None = None
        self._validated = (0.0, 0.0)
        self._warm_until = self._last[0]

    @staticmethod
    def _now(trainer: Trainer | None) -> tuple[float, float]:
        if trainer is not None and trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize(trainer.strategy.root_device)
        return time.perf_counter(), time.process_time()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin an epoch; the time since the former one is that of its end."""
        self.train_batches = int(trainer.num_training_batches)
        self._last = self._now(trainer)
        if self._ended is not None:
            pause = _difference(self._last, self._ended)
            self.epoch_ends.append(_difference(pause, self._validated))
        self._validated = (0.0, 0.0)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **options: Any
    ) -> None:
        """Measure the step; stop when enough are measured."""
        now = self._now(trainer)
        self._done += 1
        if self._done > _WARM:
            self.steps.append(_difference(now, self._last))
        else:
            self._warm_until = now[0]
        self._last = self._ended = now
        spent, count = now[0] - self._warm_until, len(self.steps)
        if count >= _MOST or (count >= _LEAST and spent >= self.seconds):
            trainer.should_stop = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a validation."""
        self._started = self._now(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Its whole time is no part of the end of an epoch."""
        self._validated = _difference(self._now(trainer), self._started)

    def on_validation_batch_start(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Begin a validation batch."""
        self._batch = self._now(trainer)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Measure it."""
        self.validations.append(_difference(self._now(trainer), self._batch))


def typical(times: list[tuple[float, float]], *, is_cpu: bool) -> float:
    """The median wall or CPU time; the first of several is left out, as it compiles kernels.

    >>> typical([(9.0, 9.0), (1.0, 2.0), (3.0, 2.0), (2.0, 2.0)], is_cpu=False)
    2.0
    """
    kept = times[1:] or times
    return median(pair[is_cpu] for pair in kept) if kept else 0.0


def _difference(after: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    return after[0] - before[0], after[1] - before[1]
