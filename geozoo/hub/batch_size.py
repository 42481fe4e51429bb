"""Automatic batch size: as many graphs at a time as memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from geozoo.machine.out_of_memory import is_out_of_memory
from geozoo.machine.provenance import peak_memory_bytes

_FIRST, _LARGEST = 8, 1024
#: Fraction of the free memory that a batch may use before the batch size stops growing.
_SHARE = 0.25
#: Free memory assumed where the system does not report it.
_ASSUMED = 2 << 30


class Watched:
    """Outcome of a batch: whether it ran out of memory."""

    failed = False


class BatchSize:
    """A batch size that doubles while memory use is low and halves on an out-of-memory error.

    Args:
        device: device that processes the batches.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.value = device, _FIRST
        self._free: int | None = None
        self._may_grow = True

    @contextmanager
    def watched(self) -> Iterator[Watched]:
        """Monitor the memory use of a batch and choose the size of the next one.

        Raises:
            MemoryError: If a batch of one graph does not fit.
        """
        watched, before = Watched(), peak_memory_bytes(self.device)
        try:
            yield watched
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if self.value == 1:
                raise MemoryError(f"a single graph does not fit into memory: {error}") from error
            self.value, watched.failed, self._may_grow = self.value // 2, True, False
            return
        growth = peak_memory_bytes(self.device) - before
        if growth > 0 and self._free is None:  # most batches fit into what earlier ones used
            self._free = _free_bytes(self.device)
        if self._free is not None and growth > _SHARE / 2 * self._free:
            self._may_grow = False
        elif self._may_grow:
            self.value = min(2 * self.value, _LARGEST)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _ASSUMED
    available = (line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(next(available, _ASSUMED // 1024))
