"""Control of freed memory in the C library during training on a CPU."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class FreedMemory(Callback):
    """Keeps freed memory between steps and returns it periodically; on a CPU with glibc.

    By default glibc returns every freed block above 32 MiB at once, and the system clears its pages
    when the next step allocates them: up to a third of the time of a large step. If memory is never
    returned, batches of different sizes fragment it, and the memory of the process grows over hours
    to several times what it uses.

    Args:
        pause: minimum number of seconds between two returns; one takes a few tenths of a second.
    """

    def __init__(self, *, pause: float = 30.0) -> None:
        self.pause = pause
        self._last = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to keep freed memory."""
        if pl_module.device.type == "cpu":
            keep_freed_memory()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Return freed memory if the pause is over."""
        if pl_module.device.type == "cpu" and time.monotonic() - self._last >= self.pause:
            return_freed_memory()
            self._last = time.monotonic()


#: Parameters of mallopt in glibc: the trim threshold, and the minimum size of a mapped block.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library reuse freed blocks of up to 2 GiB, if it supports that."""
    _call("mallopt", _MMAP_THRESHOLD, _LARGEST)
    _call("mallopt", _TRIM_THRESHOLD, _LARGEST)


def return_freed_memory() -> None:
    """Return freed memory to the system, if the C library supports that."""
    _call("malloc_trim", 0)


def _call(name: str, *numbers: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*numbers)
    except (AttributeError, OSError, TypeError):
        return  # not glibc
