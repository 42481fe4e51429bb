"""The software and hardware that produced a result."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

_PACKAGES = ("geozoo", "torch", "lightning", "torchmetrics", "hydra-core", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and the relevant packages, and the commit of a checkout."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "geozoo" not in found:
        import geozoo

        found["geozoo"] = geozoo.__version__
    return {**found, "commit": commit()}


def commit() -> str:
    """Commit of the checkout that this package runs from, with ``-dirty`` if it was modified.

    A copy without its repository takes it from the environment variable ``GEOZOO_COMMIT``.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return os.environ.get("GEOZOO_COMMIT", "")
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def device_name(device: torch.device | str = "cpu") -> str:
    """Name of the hardware: ``NVIDIA H200``, or ``AMD EPYC, 2 threads``."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    kind = _cpu_name() if device.type == "cpu" else device.type
    return f"{kind}, {torch.get_num_threads()} threads"


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory so far: of the device's allocator, or on the CPU of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cpu_name() -> str:
    """Model name of the processor; its architecture on systems other than Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
