"""Peak memory of a variant: of a fresh process on a CPU, of the allocator on a GPU."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks._case import Case

#: Steps per measurement: the second one holds the gradients of the first in memory.
STEPS = 2


def peak_mib(case: Case, variant: str, device: torch.device, threads: int) -> dict[str, float]:
    """MiB that training steps need beyond the built variant.

    Returns:
        ``"mib"``; on a CPU also ``"mib_of_tensors"``, measured with a malloc that returns every
        large block to the system as soon as it is free. The difference is fragmentation: glibc
        before 2.38 cannot reuse the hole left by an aligned block for another one of that size.
    """
    if device.type == "cuda":
        return {"mib": _allocated(case, variant, device)}
    settings: dict[str, dict[str, str]] = {
        "mib": {}, "mib_of_tensors": {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
    }  # fmt: skip
    return {
        key: _resident(case.name, variant, STEPS, threads, setting)
        for key, setting in settings.items()
    }


def _allocated(case: Case, variant: str, device: torch.device) -> float:
    built = case.variants[variant](device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    for _ in range(STEPS):
        built.step()
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def _resident(name: str, variant: str, steps: int, threads: int, setting: dict[str, str]) -> float:
    command = [sys.executable, "-m", "benchmarks", name, "--child", variant, str(steps)]
    done = subprocess.run(
        [*command, "--threads", str(threads)],
        capture_output=True, text=True, check=False, env={**os.environ, **setting},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


def child(case: Case, variant: str, steps: int) -> None:
    """Run some steps and write the MiB that they need beyond what was resident before."""
    # Threads and code that torch loads at its first product are not part of any variant.
    left = torch.randn(512, 512, requires_grad=True)
    (left @ left).sum().backward()
    built = case.variants[variant](torch.device("cpu"))
    forget_largest()
    before = resident_mib()
    for _ in range(steps):
        built.step()
    sys.stdout.write(str(largest_mib() - before))


def forget_largest() -> None:
    """Reset `largest_mib`, where the system can: building may need more than a step."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def largest_mib() -> float:
    """Peak resident MiB of this process so far."""
    found = _status("VmHWM")
    # The value of getrusage starts from the memory of the parent at the fork.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if found is None else found


def resident_mib() -> float:
    """Resident MiB of this process now; the peak so far if the system does not report it."""
    return resident_mib_of("self") or largest_mib()


def resident_mib_of(process: str) -> float | None:
    """Resident MiB of the process with this id; None if the system does not report it."""
    return _status("VmRSS", process)


def _status(key: str, process: str = "self") -> float | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    return None
