"""The progress bar of training or a test on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from geozoo.runs.progress import Watched, time_limit

#: Batches between two updates of the bar; an update costs about as much as a small step.
_EVERY = 10


class _Bar(Progress):
    """A bar with a line of text below it."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and the text if there is one."""
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below)


class RunBar(Watched, ProgressBar):
    """Shows epoch, batches, losses, best validation so far and remaining time.

    Epochs are counted from 1.

    Args:
        monitor: metric to show; empty for a test alone.
        console: console to draw on; None: standard error.
    """

    def __init__(self, monitor: str = "", *, console: Console | None = None) -> None:
        super().__init__(monitor)
        self._console = console or Console(highlight=False, stderr=True)
        self._is_enabled = True
        self._bar: _Bar | None = None
        self._values: dict[str, float] = {}

    def enable(self) -> None:
        """Enable drawing."""
        self._is_enabled = True

    def disable(self) -> None:
        """Draw nothing, as on processes that do not write."""
        self._is_enabled = False
        self.stop()

    def show(self, what: str, done: float, total: float | None, below: str | None = None) -> None:
        """Draw the bar.

        Args:
            what: label in front of the bar.
            done: completed part of ``total``.
            total: length of the bar; None: unknown.
            below: text below the bar; None: unchanged.
        """
        if not self._is_enabled:
            return
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = _Bar(*columns, console=self._console, refresh_per_second=4)
            self._bar.add_task(what)
            self._bar.start()
        if below is not None:
            self._bar.below = below
        task = self._bar.task_ids[0]
        self._bar.update(task, description=what, completed=done, total=total)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar of an epoch."""
        self.show(self._epoch(trainer), 0, self.total_train_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the bar after some of the batches."""
        done, total = batch_idx + 1, self.total_train_batches
        if done % _EVERY == 0 or done == total:
            below = self._below(trainer, trainer.current_epoch + done / total)
            self.show(self._epoch(trainer), done, total, below)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the losses of the epoch."""
        self._values = self.values(
            trainer
        )  # not at every batch, which would synchronise with the GPU
        total = self.total_train_batches
        below = self._below(trainer, trainer.current_epoch + 1)
        self.show(self._epoch(trainer), total, total, below)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Update the bar of a validation."""
        what = f"{self._epoch(trainer)}, validation" if trainer.training else "validation"
        self._evaluated(what, batch_idx, trainer.num_val_batches)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the validation; outside of training, end the bar."""
        if trainer.state.fn == "fit":
            super().on_validation_end(trainer, pl_module)
            self._values = self.values(trainer)
        else:
            self.stop()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Update the bar of a test."""
        self._evaluated("test", batch_idx, trainer.num_test_batches)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the last state on the screen."""
        self.stop()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the last state on the screen."""
        self.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: Any) -> None:
        """Leave the last state on the screen."""
        self.stop()

    def __enter__(self) -> RunBar:
        """Enter a loop that draws with `show`."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the bar."""
        self.stop()

    def stop(self) -> None:
        """End the bar and leave its last state on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _evaluated(self, what: str, index: int, batches: list[int | float]) -> None:
        total = sum(batches)
        if (index + 1) % _EVERY == 0 or index + 1 == total:
            self.show(what, index + 1, total)

    def _below(self, trainer: Trainer, done: float) -> str:
        total, limit = trainer.max_epochs or 1, time_limit(trainer)
        return self.progress_so_far.parts(self._values, done, total, limit)

    def _epoch(self, trainer: Trainer) -> str:
        number, total = trainer.current_epoch + 1, trainer.max_epochs
        return f"epoch {number}" + (f" of {total}" if total and total > 0 else "")
