"""What the C library does with freed memory in a long training on a CPU."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class FreedMemory(Callback):
    """Keeps freed memory from step to step and hands it back now and then; on a CPU with glibc.

    By itself glibc returns every block above 32 MiB at once, and the system clears its pages again
    when the next step asks for them: up to a third of a large step. Kept for good, on the other
    hand, batches of different sizes leave holes in which the next tensors do not fit: the memory of
    a process grows for hours to several times what it uses.

    Args:
        pause: least seconds between two times; one takes a few tenths of a second.
    """

    def __init__(self, *, pause: float = 30.0) -> None:
        self.pause = pause
        self._last = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From now on keep what is freed."""
        if pl_module.device.type == "cpu":
            keep_freed_memory()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hand memory back if the pause is over."""
        if pl_module.device.type == "cpu" and time.monotonic() - self._last >= self.pause:
            return_freed_memory()
            self._last = time.monotonic()


#: Names of glibc's settings: free memory at the end that is returned, and least size of a block
#: that is returned alone.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks of up to 2 GiB for the next ones, where it can."""
    _call("mallopt", _MMAP_THRESHOLD, _LARGEST)
    _call("mallopt", _TRIM_THRESHOLD, _LARGEST)


def return_freed_memory() -> None:
    """Hand the pages of freed memory back to the system, where the C library can."""
    _call("malloc_trim", 0)


def _call(name: str, *numbers: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*numbers)
    except (AttributeError, OSError, TypeError):
        return  # another C library than glibc, which has its own ways
