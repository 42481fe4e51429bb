"""Holes that freed tensors leave go back to the system."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from geozoo.runs import freed_memory as _freed_memory
from geozoo.runs.freed_memory import FreedMemory, return_freed_memory

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


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults")
def test_large_blocks_are_kept_for_the_next_step():
    program = (
        "import resource, torch\n"
        "from geozoo.runs.freed_memory import keep_freed_memory\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    torch.ones(16 << 20)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "faults(), faults()\n"
        "by_itself = faults()\n"
        "keep_freed_memory()\n"
        "faults(), faults()\n"
        "print(by_itself, faults())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    by_itself, kept = map(int, done.stdout.split())
    assert by_itself > 100
    assert kept < by_itself / 10
