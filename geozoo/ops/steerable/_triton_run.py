"""Running generated Triton kernels on the edges of each row."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from geozoo.ops._tracing import is_traced
from geozoo.ops.ragged import offsets
from geozoo.ops.steerable._compiled import module_of
from geozoo.ops.steerable._schedule import kept_with
from geozoo.ops.steerable._triton_source import (
    Array,
    groups_of,
    kernel_source,
    others,
    width_of,
)
from geozoo.ops.steerable.paths import SteerablePaths

if TYPE_CHECKING:
    from geozoo.ops.steerable.sum import EdgeRows

#: Channels of a program: one for each of its threads, of which there are 32 in a warp.
_MAX_CHANNELS, _WARP = 128, 32


class _Order(NamedTuple):
    """Edges sorted by one of their ends or by their row; ``ptr``: where those of each begin."""

    senders: Tensor
    receivers: Tensor
    rows: Tensor
    reverse: Tensor
    ptr: Tensor


class TritonEdges:
    """Edges in the orders of the kernels, each sorted when it is first needed.

    Args:
        edges: the edges.
        sizes: number of rows of x, y, w and g.

    Raises:
        IndexError: If an edge on the CPU names a node or a row that does not exist; on a GPU the
            device reports it.
    """

    def __init__(self, edges: EdgeRows, sizes: dict[Array, int]) -> None:
        _check_range("sender", edges.sender, sizes["x"], "nodes")
        _check_range("receiver", edges.receiver, sizes["g"], "nodes")
        _check_range("rows", edges.rows, sizes["w"], "rows")
        parts = (edges.sender, edges.receiver, edges.rows, edges.is_reverse)
        self._parts = [each.to(torch.int64) for each in parts]
        self._sizes = sizes
        self._orders: dict[int, _Order] = {}

    def by(self, array: Array) -> _Order:
        """The edges in the order of the rows of an array."""
        key = {"x": 0, "g": 1, "y": 2, "w": 2}[array]
        if key not in self._orders:
            values = self._parts[key]
            order = values.argsort(stable=True)
            counts = values.new_zeros(self._sizes[array])
            ptr = offsets(counts.index_add(0, values, torch.ones_like(values)))
            senders, receivers, rows, reverse = (each[order] for each in self._parts)
            self._orders[key] = _Order(senders, receivers, rows, reverse, ptr)
        return self._orders[key]

    def size(self, array: Array) -> int:
        """Number of rows of an array."""
        return self._sizes[array]


def _check_range(name: str, values: Tensor, size: int, role: str) -> None:
    """Kernels would read other memory."""
    if not values.numel():
        return
    smallest, largest = values.aminmax()
    message = f"{name} must be in [0, {size}), the number of {role}"
    if values.device.type != "cpu":  # without waiting for the device
        torch._assert_async((smallest >= 0) & (largest < size), message)
    elif smallest < 0 or largest >= size:
        found = int(largest if largest >= size else smallest)
        raise IndexError(f"{message}, got {found}")


def triton_edges(edges: EdgeRows, sizes: dict[Array, int]) -> TritonEdges:
    """The sorted edges, kept as long as the tensors of the edges are and do not change.

    A graph under capture sorts them itself, so that its replays follow the edges.
    """
    if edges.sender.is_cuda and torch.cuda.is_current_stream_capturing():
        return TritonEdges(edges, sizes)
    key = ("triton", *sizes.values())
    return kept_with(edges, key, lambda given: TritonEdges(given, sizes))


def check_triton(tensors: dict[str, Tensor], dtype: torch.dtype) -> None:
    """Raise an error unless kernels can run on these tensors in this dtype.

    Raises:
        ImportError: If Triton is not installed.
        TypeError: If the dtype is neither float32 nor float64.
        ValueError: If a tensor is not on a GPU and kernels are not interpreted, if tensors are on
            several devices, or if a program is being traced.
    """
    if importlib.util.find_spec("triton") is None:
        raise ImportError('backend="triton" requires Triton: pip install triton')
    if is_traced():
        raise ValueError('backend="triton" cannot be traced or exported: use backend="auto"')
    device = next(iter(tensors.values())).device
    for name, tensor in tensors.items():
        if not tensor.is_cuda and not (tensor.device.type == "cpu" and _is_interpreted()):
            raise ValueError(
                'backend="triton" requires tensors on a GPU (or TRITON_INTERPRET=1, for tests on '
                f"the CPU), got {name} on {tensor.device}"
            )
        if tensor.device != device:
            raise ValueError(f"all tensors must be on {device}, got {name} on {tensor.device}")
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f'backend="triton" requires float32 or float64, got {dtype}')


def _is_interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def run_triton(
    target: Array, given: tuple[Tensor, ...], edges: TritonEdges, paths: SteerablePaths
) -> Tensor:
    """The derivative of the sum's product with the fourth array with respect to one of the four.

    Args:
        target: that one; ``"g"``: the sum.
        given: the other three in the order x, y, w, g, of the same dtype.
        edges: the edges.
        paths: the paths.
    """
    inputs = [each.detach().contiguous() for each in given]
    size, width = edges.size(target), width_of(paths, target)
    out = inputs[0].new_zeros(size, width)
    if not out.numel():
        return out
    for name, each in zip(others(target), inputs, strict=True):
        assert len(each) == edges.size(name), "rows of arrays and edges differ"
    order = edges.by(target)
    with torch.cuda.device_of(out):
        for kernel, channels in _kernels(paths, target, _is_interpreted()):
            _launch(kernel, (*inputs, out, *order), channels, target)
    return out


def _launch(kernel: Any, arguments: tuple[Tensor, ...], channels: int, target: Array) -> None:
    import triton
    import triton.language as tl

    block = min(triton.next_power_of_2(channels), _MAX_CHANNELS)
    out = arguments[len(others(target))]
    blocks = () if target == "y" else (triton.cdiv(channels, block),)
    real = tl.float64 if out.dtype == torch.float64 else tl.float32
    warps = max(block // _WARP, 1)
    options = {"num_warps": warps, "enable_fp_fusion": True}
    kernel[len(out), *blocks](*arguments, CHANNELS=block, REAL=real, **options)


@lru_cache(maxsize=1024)
def _kernels(paths: SteerablePaths, target: Array, interpreted: bool) -> list[tuple[Any, int]]:
    """Kernels and their numbers of channels; whether they are interpreted is settled here."""
    found = []
    for group in groups_of(paths, target):
        source = kernel_source(group, paths, target)
        digest = hashlib.sha256(f"{interpreted}\n{source}".encode()).hexdigest()[:16]
        module = module_of(source, f"geozoo_triton_{target}_{digest}")
        found.append((module.kernel, group[0].channels))
    return found
