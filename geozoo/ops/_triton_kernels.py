"""Triton kernels of `geozoo.ops.kernel_sum` and their launchers.

All arrays are treated as ``[rows, O, C]`` or ``[rows, O, K]``, with O = 1 if there is no middle
axis.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from geozoo.ops.sorted_edges import SortedEdges

#: Rows (edges times orientations) of a program's matrix product; tensor cores need at least 16.
_ROWS = 64
_MAX_ORIENTATIONS, _MAX_CHANNELS, _BASIS = 32, 64, 32


@triton.jit
def _kernel_sum(
    basis, weight, x, out, order, source, ptr, O, C, K,  # noqa: E741
    EDGES: tl.constexpr, ORIENTATIONS: tl.constexpr, CHANNELS: tl.constexpr, BASIS: tl.constexpr,
    PRECISION: tl.constexpr, ACCURACY: tl.constexpr,
):  # fmt: skip
    """One program per target and block of orientations and channels."""
    target = tl.program_id(0).to(tl.int64)
    o = tl.program_id(1) * ORIENTATIONS + tl.arange(0, ORIENTATIONS)
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    begin, end = tl.load(ptr + target), tl.load(ptr + target + 1)
    total = tl.zeros((ORIENTATIONS, CHANNELS), dtype=ACCURACY)
    for first in range(begin, end, EDGES):
        position = first + tl.arange(0, EDGES)
        edge = tl.load(order + position, mask=position < end, other=0)
        sender = tl.load(source + edge, mask=position < end, other=0)
        inside = tl.reshape((position < end)[:, None] & (o < O)[None, :], (EDGES * ORIENTATIONS,))
        row = tl.reshape(edge[:, None] * O + o[None, :], (EDGES * ORIENTATIONS,))
        kernel = tl.zeros((EDGES * ORIENTATIONS, CHANNELS), dtype=ACCURACY)
        for start in range(0, K, BASIS):
            k = start + tl.arange(0, BASIS)
            b = tl.load(
                basis + row[:, None] * K + k[None, :],
                mask=inside[:, None] & (k < K)[None, :], other=0.0,
            )  # fmt: skip
            w = tl.load(
                weight + c[None, :] * K + k[:, None],
                mask=(c < C)[None, :] & (k < K)[:, None], other=0.0,
            )  # fmt: skip
            kernel = tl.dot(b, w, kernel, input_precision=PRECISION, out_dtype=ACCURACY)
        row = tl.reshape(sender[:, None] * O + o[None, :], (EDGES * ORIENTATIONS,))
        mask = inside[:, None] & (c < C)[None, :]
        features = tl.load(x + row[:, None] * C + c[None, :], mask=mask, other=0.0)
        message = tl.reshape(kernel * features, (EDGES, ORIENTATIONS, CHANNELS))
        total += tl.sum(message, axis=0)
    mask = (o < O)[:, None] & (c < C)[None, :]
    tl.store(out + (target * O + o)[:, None] * C + c[None, :], total, mask=mask)


@triton.jit
def _weighted_sum(
    weight, x, out, order, source, ptr, width, CHANNELS: tl.constexpr,
    ACCURACY: tl.constexpr,
):  # fmt: skip
    """One program per target and block of channels."""
    target = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    total = tl.zeros((CHANNELS,), dtype=ACCURACY)
    for position in range(tl.load(ptr + target), tl.load(ptr + target + 1)):
        edge = tl.load(order + position)
        sender = tl.load(source + edge)
        factor = tl.load(weight + edge * width + c, mask=c < width, other=0.0)
        total += factor * tl.load(x + sender * width + c, mask=c < width, other=0.0)
    tl.store(out + target * width + c, total, mask=c < width)


@triton.jit
def _edge_product(y, x, out, target, source, width, CHANNELS: tl.constexpr):
    """One program per edge and block of channels."""
    edge = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    first = tl.load(y + tl.load(target + edge) * width + c, mask=c < width, other=0.0)
    second = tl.load(x + tl.load(source + edge) * width + c, mask=c < width, other=0.0)
    tl.store(out + edge * width + c, first * second, mask=c < width)


def launch_kernel_sum(basis: Tensor, weight: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
    """Launch the kernel of `geozoo.ops.kernel_sum`, for arguments of the same dtype."""
    basis, weight, x = basis.contiguous(), weight.contiguous(), x.contiguous()
    out = torch.empty_like(x)
    channels, num_basis = weight.shape
    num_orientations = x[0].numel() // channels if len(x) else 1
    if not out.numel():
        return out
    orientations = min(triton.next_power_of_2(num_orientations), _MAX_ORIENTATIONS)
    block = min(max(triton.next_power_of_2(channels), 16), _MAX_CHANNELS)
    grid = len(x), triton.cdiv(num_orientations, orientations), triton.cdiv(channels, block)
    exact = x.dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    precision = "ieee" if exact else "tf32"
    with torch.cuda.device_of(x):
        _kernel_sum[grid](
            basis, weight, x, out, edges.by_target.edges, edges.source, edges.by_target.ptr,
            num_orientations, channels, num_basis,
            EDGES=max(_ROWS // orientations, 1), ORIENTATIONS=orientations, CHANNELS=block,
            BASIS=_BASIS, PRECISION=precision, ACCURACY=_accuracy(x),
        )  # fmt: skip
    return out


def launch_weighted_sum(weight: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
    """Return the sum of weights ``[E, ..., C]`` times source features over the edges of targets."""
    weight, x = weight.contiguous(), x.contiguous()
    out = torch.empty_like(x)
    if out.numel():
        width, block = _widths(x)
        with torch.cuda.device_of(x):
            _weighted_sum[len(x), triton.cdiv(width, block)](
                weight, x, out, edges.by_target.edges, edges.source, edges.by_target.ptr, width,
                CHANNELS=block, ACCURACY=_accuracy(x),
            )  # fmt: skip
    return out


def launch_edge_product(y: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
    """Return the product ``[E, ..., C]`` of target features ``y`` and source features ``x``."""
    y, x = y.contiguous(), x.contiguous()
    out = x.new_empty(len(edges.source), *x.shape[1:])
    if out.numel():
        width, block = _widths(x)
        with torch.cuda.device_of(x):
            _edge_product[len(out), triton.cdiv(width, block)](
                y, x, out, edges.target, edges.source, width, CHANNELS=block
            )
    return out


def _accuracy(x: Tensor) -> tl.dtype:
    """Accumulator precision."""
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def _widths(x: Tensor) -> tuple[int, int]:
    """Row width, and the block size of a program."""
    width = x[0].numel()
    return width, min(triton.next_power_of_2(width), 1024)
