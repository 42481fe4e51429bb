"""Training progress, as log lines if there is no terminal."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer

from geozoo.contracts import direction_of
from geozoo.runs.durations import duration
from geozoo.runs.trainer_callbacks import callbacks_of

_LOG = logging.getLogger(__name__)
#: Number of progress lines without a terminal.
_NUM_LINES = 20


class Progress:
    """The progress of a training run: best validation so far, and remaining time.

    Attributes:
        best: the best value of the monitored metric; infinite before the first.
        best_epoch: the epoch of it, counted from 1.

    Args:
        monitor: the metric; empty: none.
    """

    def __init__(self, monitor: str = "") -> None:
        self._sign = -1.0 if monitor and direction_of(monitor) == "max" else 1.0
        self.best, self.best_epoch = self._sign * math.inf, 0
        self._began: tuple[float, int] | None = None

    def begin(self, epochs: int) -> None:
        """Start the clock of this process, after a number of epochs of the run."""
        self._began = time.monotonic(), epochs

    def validated(self, value: float, epoch: int) -> None:
        """Record a validation after a number of epochs."""
        if self._sign * value < self._sign * self.best:
            self.best, self.best_epoch = value, epoch

    def line(self, losses: Mapping[str, float], epoch: int, total: int, limit: float | None) -> str:
        """A log line for an epoch: its number, and `parts`."""
        return f"epoch {epoch} of {total}: {self.parts(losses, epoch, total, limit)}"

    def parts(
        self, losses: Mapping[str, float], done: float, total: int, limit: float | None
    ) -> str:
        """Losses, best metric so far, and remaining time.

        Args:
            losses: values by name.
            done: number of completed epochs, including the fraction of the current one.
            total: number of epochs of the whole run.
            limit: seconds until the time limit; None: no limit.
        """
        parts = [f"{name} {value:.4g}" for name, value in losses.items()]
        if self.best_epoch:
            parts.append(f"best {self.best:.4g} in epoch {self.best_epoch}")
        if self._began is not None and self._began[1] < done < total:
            since, before = self._began
            left = (time.monotonic() - since) / (done - before) * (total - done)
            left = left if limit is None else min(left, max(limit, 0.0))
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def state_dict(self) -> dict[str, Any]:
        """The best validation so far."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class Watched(Callback):
    """Base class of bar and lines: the best validation, stored in checkpoints, and the clock.

    Args:
        monitor: metric to show.
    """

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self.monitor, self.progress_so_far = monitor, Progress(monitor)

    @property
    def state_key(self) -> str:
        """The key of the state in a checkpoint, the same with and without a terminal."""
        return "ProgressLines"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.progress_so_far.begin(trainer.current_epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the validation."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is not None and not trainer.sanity_checking:
            self.progress_so_far.validated(float(value), trainer.current_epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """The best validation so far."""
        return self.progress_so_far.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state."""
        self.progress_so_far.load_state_dict(state_dict)

    def values(self, trainer: Trainer) -> dict[str, float]:
        """The last training loss and validation metric, if available."""
        shown = sorted({"train/loss", self.monitor} & set(trainer.callback_metrics))
        return {name: float(trainer.callback_metrics[name]) for name in shown}


class ProgressLines(Watched):
    """Log lines at regular epochs, and within long epochs if there are few.

    Args:
        monitor: metric to show.
        pause: minimum number of seconds before a line within an epoch.
    """

    def __init__(self, monitor: str, *, pause: float = 60.0) -> None:
        super().__init__(monitor)
        self.pause = pause
        self._last = time.monotonic()
        self._tenths = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reset the counter of the tenths of an epoch."""
        self._tenths = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the completed part of a long epoch, at most at every tenth of it."""
        tenths = int(10 * (batch_idx + 1) / trainer.num_training_batches)
        is_long = time.monotonic() - self._last >= self.pause
        few = _epochs(trainer) <= _NUM_LINES
        if few and is_long and self._tenths < tenths < 10:
            self._say("epoch %d of %d: %d %% of its batches", trainer, 10 * tenths)
        self._tenths = tenths

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch if a line is due."""
        total, epoch = _epochs(trainer), trainer.current_epoch + 1
        if epoch % max(1, total // _NUM_LINES) == 0 or epoch == total:
            values, limit = self.values(trainer), time_limit(trainer)
            if trainer.is_global_zero:
                _LOG.info(self.progress_so_far.line(values, epoch, total, limit))
            self._last = time.monotonic()

    def _say(self, text: str, trainer: Trainer, what: Any) -> None:
        if trainer.is_global_zero:
            _LOG.info(text, trainer.current_epoch + 1, _epochs(trainer), what)
        self._last = time.monotonic()


def time_limit(trainer: Trainer) -> float | None:
    """Seconds until the time limit of a training run; None: no limit."""
    limits = [c.time_remaining() for c in callbacks_of(trainer) if isinstance(c, Timer)]
    return min((limit for limit in limits if limit is not None), default=None)


def _epochs(trainer: Trainer) -> int:
    return trainer.max_epochs or 1
