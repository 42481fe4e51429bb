"""Control of freed memory in the C library during training on a CPU."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from geozoo.machine.freed_memory import keep_freed_memory, return_freed_memory, return_kept_memory

__all__ = ["FreedMemory", "keep_freed_memory", "return_freed_memory"]


class FreedMemory(Callback):
    """Keeps freed memory between steps and returns it periodically; on a CPU with glibc.

    See `geozoo.machine.freed_memory`; ``GEOZOO_MALLOC=default`` switches it off.

    Args:
        pause: minimum number of seconds between two returns; one takes a few tenths of a second.
    """

    def __init__(self, *, pause: float = 30.0) -> None:
        self.pause = pause

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to keep freed memory."""
        if pl_module.device.type == "cpu":
            keep_freed_memory()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Return freed memory if the pause is over."""
        self._return(pl_module)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """As `on_train_batch_end`."""
        self._return(pl_module)

    on_test_batch_end = on_validation_batch_end

    def _return(self, pl_module: LightningModule) -> None:
        if pl_module.device.type == "cpu":
            return_kept_memory(self.pause)
