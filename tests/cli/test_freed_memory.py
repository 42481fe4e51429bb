"""Holes that freed tensors leave go back to the system."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from geozoo.cli import _freed_memory
from geozoo.cli._freed_memory import FreedMemory, return_freed_memory

MIB = 2**20


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_holes_are_handed_back():
    # Small enough to lie side by side in the heap; every second one stays.
    tensors = [torch.ones(16 * 1024) for _ in range(8000)]
    kept = tensors[::2]
    del tensors
    before = resident()
    return_freed_memory()
    assert before - resident() > 100 * MIB
    assert all(bool((tensor == 1).all()) for tensor in kept)


@pytest.mark.parametrize(
    ("pause", "device", "times"), [(0, "cpu", 3), (60, "cpu", 0), (0, "cuda", 0)]
)
def test_it_happens_after_a_pause_on_a_cpu(pause, device, times, monkeypatch):
    calls = []
    monkeypatch.setattr(_freed_memory, "return_freed_memory", lambda: calls.append(1))
    callback = FreedMemory(pause=pause)
    module = SimpleNamespace(device=torch.device(device))
    for number in range(3):
        callback.on_train_batch_end(None, module, None, None, number)
    assert len(calls) == times


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(_freed_memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    return_freed_memory()
