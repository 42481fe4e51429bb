"""Wall time, memory and most expensive kernels of a step on a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

Step = Callable[[], "float | Tensor"]
#: Float32 matmul precision and autocast dtype for each precision.
PRECISIONS = {"float32": "highest", "tf32": "high", "bf16": "high"}
#: Number of timed groups of steps, and their total duration in seconds.
_GROUPS, _FILLED = 5, 0.6
_WARM_UP = 3
_DEAREST = 10


def in_precision(step: Step, precision: str, device: torch.device) -> Step:
    """The step with matrix products in this precision, which the process keeps until changed."""
    torch.set_float32_matmul_precision(PRECISIONS[precision])
    torch.backends.cudnn.allow_tf32 = precision != "float32"

    def work() -> float | Tensor:
        context: AbstractContextManager[Any] = nullcontext()
        if precision == "bf16":
            context = torch.autocast(device.type, dtype=torch.bfloat16)
        with context:
            return step()

    return work


def captured(step: Step, device: torch.device) -> Step:
    """The step as a replayed CUDA graph; the step itself if there is no GPU."""
    if device.type != "cuda":
        return step
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = step()

    def replay() -> float | Tensor:
        graph.replay()
        return value

    return replay


def measured(step: Step, device: torch.device, *, once: bool = False) -> dict[str, Any]:
    """Median seconds per step, with their range.

    Steps run back to back without synchronisation; each of five groups is timed by device events.

    Args:
        step: the work.
        device: where it runs.
        once: a single step without warm-up, to see whether it runs at all.
    """
    if once:
        seconds = _timed(step, 1, device)
        return {"seconds": seconds, "seconds_range": [seconds, seconds], "steps": 1}
    for _ in range(_WARM_UP):
        step()
    _wait(device)
    started = time.perf_counter()
    step()
    _wait(device)
    one = time.perf_counter() - started
    number = max(1, min(500, int(_FILLED / _GROUPS / one)))
    groups = [_timed(step, number, device) for _ in range(_GROUPS)]
    return {
        "seconds": statistics.median(groups),
        "seconds_range": [min(groups), max(groups)],
        "steps": _GROUPS * number,
    }


def peak_mib(device: torch.device) -> float | None:
    """Peak MiB allocated since `forget_peak`; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None


def forget_peak(device: torch.device) -> None:
    """Release free memory and reset the peak."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def dearest_kernels(step: Step, device: torch.device, *, steps: int = 3) -> list[dict[str, Any]]:
    """The operations whose own kernels take most of the device time, per step."""
    kinds = [ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(ProfilerActivity.CUDA)
    step()
    _wait(device)
    with profile(activities=kinds) as profiler:
        for _ in range(steps):
            step()
        _wait(device)
    on_gpu = device.type == "cuda"
    events = [e for e in profiler.key_averages() if _own_time(e, on_gpu) > 0]
    if on_gpu:  # kernels themselves, not the operations that launch them
        events = [e for e in events if e.device_type == torch.autograd.DeviceType.CUDA]
    total = sum(_own_time(e, on_gpu) for e in events)
    events.sort(key=lambda e: -_own_time(e, on_gpu))
    return [
        {
            "kernel": event.key[:120],
            "microseconds": _own_time(event, on_gpu) / steps,
            "calls": event.count / steps,
            "share": _own_time(event, on_gpu) / total,
        }
        for event in events[:_DEAREST]
    ]


def peaks(device: torch.device, *, small: bool) -> dict[str, float]:
    """TFLOP/s of a large matrix product in each precision, TB/s (read and written) of a copy."""
    size = 512 if small else 8192
    found = {}
    for precision, setting in PRECISIONS.items():
        torch.set_float32_matmul_precision(setting)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        left, right = torch.randn(2, size, size, device=device, dtype=dtype)
        seconds = measured(lambda a=left, b=right: torch.mm(a, b), device, once=small)["seconds"]
        found[f"{precision}_tflops"] = 2e-12 * size**3 / seconds
    source = torch.randn(1 << (20 if small else 29), device=device)
    target = torch.empty_like(source)
    seconds = measured(lambda: target.copy_(source), device, once=small)["seconds"]
    found["copy_tbytes_s"] = 2e-12 * source.nbytes / seconds
    return found


def _own_time(event: Any, on_gpu: bool) -> float:
    return event.self_device_time_total if on_gpu else event.self_cpu_time_total


def _timed(step: Step, number: int, device: torch.device) -> float:
    if device.type != "cuda":
        started = time.perf_counter()
        for _ in range(number):
            step()
        return (time.perf_counter() - started) / number
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(number):
        step()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000 / number


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
