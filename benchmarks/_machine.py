"""The measured peaks of the machine: matrix products and copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of a piece of work, including the device's queue."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def measured_peaks(device: torch.device, rounds: int = 7) -> dict[str, float]:
    """Peak float32 GFLOP/s of a square matrix product and GB/s (read and written) of a copy."""
    size = 2048 if device.type == "cpu" else 8192
    left, right = torch.randn(2, size, size, device=device)
    source = torch.randn(1 << (26 if device.type == "cpu" else 28), device=device)
    target = torch.empty_like(source)
    products, copies = [], []
    for _ in range(rounds):
        products.append(seconds_of(lambda: torch.mm(left, right), device))
        copies.append(seconds_of(lambda: target.copy_(source), device))
    return {
        "peak_gflops": 2e-9 * size**3 / min(products),
        "median_gflops": 2e-9 * size**3 / statistics.median(products),
        "peak_gbytes_s": 2e-9 * source.nbytes / min(copies),
        "median_gbytes_s": 2e-9 * source.nbytes / statistics.median(copies),
    }
