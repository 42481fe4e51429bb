"""Running a compiled loop over all edges, on the threads that PyTorch has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geozoo.ops.steerable._compiled import Kernel, kernel_of
from geozoo.ops.steerable._generated import ARRAYS
from geozoo.ops.steerable._schedule import Part, Schedule, addresses_of, schedule_of
from geozoo.ops.steerable._threads import run_all
from geozoo.ops.steerable.paths import SteerablePaths

if TYPE_CHECKING:
    from geozoo.ops.steerable.sum import EdgeRows

#: Multiplications that are worth a thread.
MIN_WORK = 8_000_000
#: Arrays with a row per sender and per receiver; the others have one per row of the edges.
_SENDERS, _RECEIVERS = ("x", "gx", "hx", "dx"), ("g", "out", "dg")
_WRITTEN = ("out", "gx", "gy", "gw", "dx", "dy", "dw", "dg")


def run_kernel(loop: str, paths: SteerablePaths, edges: EdgeRows, *tensors: Tensor) -> None:
    """Add a sum or its derivatives to tensors, see `geozoo.ops.steerable._generated.ARRAYS`.

    Results are the same in every run with the same number of threads.

    Args:
        loop: ``"forward"``, ``"backward"`` or ``"double"``.
        paths: the paths.
        edges: the edges.
        tensors: the arrays of the loop, contiguous and of one dtype.

    Raises:
        IndexError: If an edge names a node or a row that does not exist.
        TypeError: If a tensor is not on the CPU, not of the first one's dtype, or that is neither
            float32 nor float64.
        ValueError: If a tensor is not contiguous.
    """
    _check_tensors(loop, tensors)
    kernel = kernel_of(paths, loop, str(tensors[0].dtype).removeprefix("torch."))
    schedule = schedule_of(edges)
    given = dict(zip(ARRAYS[loop], tensors, strict=True))
    _check_edges(schedule, given)
    size = schedule.edges.shape[1]
    threads = min(torch.get_num_threads(), size * kernel.work // MIN_WORK, size)
    if threads <= 1:
        _call(kernel, given, schedule.addresses, 0, size)
        return
    given = {name: each.detach() for name, each in given.items()}
    parts = schedule.parts(loop, threads)
    own = [_arrays_of(part, given) for part in parts]
    run_all([partial(_run, kernel, *each) for each in zip(parts, own, strict=True)])
    for part, arrays in zip(parts, own, strict=True):
        _collect(part, arrays, given)


def _check_tensors(loop: str, tensors: tuple[Tensor, ...]) -> None:
    """Kernels are given addresses alone."""
    dtype = tensors[0].dtype
    for name, tensor in zip(ARRAYS[loop], tensors, strict=True):
        fits = tensor.dtype == dtype and dtype in (torch.float32, torch.float64)
        if not fits or tensor.device.type != "cpu":
            raise TypeError(
                "compiled kernels require tensors of one dtype, float32 or float64, on the CPU, "
                f"got {name} with {tensor.dtype} on {tensor.device}"
            )
        if not tensor.is_contiguous():
            raise ValueError(f"{name} must be contiguous, got strides {tensor.stride()}")


def _check_edges(schedule: Schedule, given: dict[str, Tensor]) -> None:
    """Kernels would read and write other memory."""
    for name, largest, array, role in zip(
        ("sender", "receiver", "rows"), schedule.largest, ("x", "out", "w"),
        ("nodes", "nodes", "rows"), strict=True,
    ):  # fmt: skip
        count = len(given.get(array, given.get("g", given["x"])))
        if largest >= count or schedule.smallest < 0:
            found = largest if largest >= count else schedule.smallest
            raise IndexError(f"{name} must be in [0, {count}), the number of {role}, got {found}")


def _nodes(part: Part, name: str) -> Tensor | None:
    """The nodes that are the rows of a part's array; None: all rows."""
    if name in _SENDERS:
        return part.senders
    return part.receivers if name in _RECEIVERS else None


def _is_apart(part: Part, name: str) -> bool:
    """Whether a part sums into an array of its own."""
    return part.sums_apart and name in _WRITTEN and name in _SENDERS + _RECEIVERS


def _arrays_of(part: Part, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The arrays of a thread: its own sums over nodes, and the rows of the inputs."""
    arrays = {}
    for name, array in given.items():
        nodes = _nodes(part, name)
        if _is_apart(part, name):
            arrays[name] = array.new_zeros(len(array if nodes is None else nodes), array.shape[1])
        else:
            arrays[name] = array if nodes is None else array.index_select(0, nodes)
    return arrays


def _run(kernel: Kernel, part: Part, arrays: dict[str, Tensor]) -> None:
    _call(kernel, arrays, addresses_of(part.edges), part.begin, part.end)


def _call(
    kernel: Kernel, arrays: dict[str, Tensor], edges: NDArray[np.int64], begin: int, end: int
) -> None:
    addresses = np.array([array.data_ptr() for array in arrays.values()], np.int64)
    kernel.run(kernel.kernels, addresses, edges, kernel.numbers, kernel.scales, begin, end)


def _collect(part: Part, arrays: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Add a thread's own sums."""
    for name, array in arrays.items():
        if _is_apart(part, name):
            nodes = _nodes(part, name)
            if nodes is None:
                given[name].add_(array)
            else:
                given[name][nodes] = array.add_(given[name].index_select(0, nodes))
