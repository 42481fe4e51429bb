"""Freed memory goes back to the system during a long training on a CPU."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class FreedMemory(Callback):
    """Hands freed memory back now and then, on a CPU with glibc; elsewhere does nothing.

    Batches of graphs differ in size, so tensors leave holes in which the next ones do not fit: the
    memory of a process grows for hours to several times what it uses.

    Args:
        pause: least seconds between two times; one takes a few tenths of a second.
    """

    def __init__(self, *, pause: float = 30.0) -> None:
        self.pause = pause
        self._last = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hand memory back if the pause is over."""
        if pl_module.device.type == "cpu" and time.monotonic() - self._last >= self.pause:
            return_freed_memory()
            self._last = time.monotonic()


def return_freed_memory() -> None:
    """Hand the pages of freed memory back to the system, where the C library can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return  # another C library than glibc, which has its own ways
