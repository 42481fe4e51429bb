"""How many graphs to work on at once: as many as memory allows, found out on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from geozoo.machine.out_of_memory import is_out_of_memory
from geozoo.machine.provenance import peak_memory_bytes

_FIRST, _LARGEST = 8, 1024
#: Share of the free memory that a batch may take before batches stop growing.
_SHARE = 0.25
#: Free memory that is assumed where the system does not tell.
_ASSUMED = 2 << 30


class Watched:
    """Whether a batch did not fit."""

    failed = False


class BatchSize:
    """A batch size that doubles while batches need little memory, and halves when one fails.

    Args:
        device: where the batches are worked on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.value = device, _FIRST
        self._free = _free_bytes(device)
        self._may_grow = True

    @contextmanager
    def watched(self) -> Iterator[Watched]:
        """Watch the memory of a batch, and choose the size of the next one.

        Raises:
            MemoryError: when a batch of one graph does not fit.
        """
        watched, before = Watched(), peak_memory_bytes(self.device)
        try:
            yield watched
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if self.value == 1:
                raise MemoryError(f"one graph does not fit into memory: {error}") from error
            self.value, watched.failed, self._may_grow = self.value // 2, True, False
            return
        growth = peak_memory_bytes(self.device) - before
        if growth > _SHARE / 2 * self._free:
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
    found = (line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(next(found, _ASSUMED // 1024))
