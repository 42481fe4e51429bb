"""Weighted sums over edges without storing gathered features or messages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.ops._ranges import check_rows
from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_traced
from geozoo.ops.scatter import scatter
from geozoo.ops.steerable.sum import is_compiled

#: Bytes of the rows processed at a time on a CPU, so that they stay in its cache.
CHUNK_BYTES = 2 << 20

#: Sources and targets of some edges.
Route = tuple[Tensor, Tensor]


def weighted_sum(weight: Tensor, x: Tensor, routes: list[Route], num_targets: int) -> Tensor:
    r"""Sum weights times features over edges; edges of different routes share rows of weights.

    .. math:: y_t = \sum_r \sum_{e:\, \mathrm{target}_{r, e} = t}
        w_e \odot x_{\mathrm{source}_{r, e}}

    Each row of weights applies to one edge of each route. On a CPU, gathering, product and sum run
    on one block of rows at a time, while it is in the cache; for derivatives of any order, features
    are gathered again instead of stored. The result equals that of the plain form up to the order
    of summation.

    Args:
        weight: ``[E, ..., C]``.
        x: features ``[N, ..., C]`` with the same trailing axes.
        routes: for each route, sources ``[E_r]``, rows of ``x``, and targets ``[E_r]``, rows of the
            result, for the first :math:`E_r \le E` rows of weights.
        num_targets: number of rows T of the result.

    Returns:
        ``[T, ..., C]``.

    Raises:
        ValueError: If trailing axes differ, or a route has more edges than there are weights.
        IndexError: If a source or target is not a row.

    >>> route = (torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    >>> weighted_sum(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[5.0], [7.0]]), [route], 2)
    tensor([[19.],
            [21.]])
    """
    if weight.shape[1:] != x.shape[1:]:
        raise ValueError(
            "weight and x must agree in all axes but the first, got "
            f"{tuple(weight.shape)} and {tuple(x.shape)}"
        )
    for source, target in routes:
        if source.shape != target.shape or source.dim() != 1 or source.shape[0] > weight.shape[0]:
            raise ValueError(
                f"a route must have as many sources as targets, at most {weight.shape[0]}, got "
                f"shapes {tuple(source.shape)} and {tuple(target.shape)}"
            )
    dtype = torch.promote_types(weight.dtype, x.dtype)
    if is_traced() or is_textbook():
        parts = [(weight[: s.shape[0]] * x.index_select(0, s), t) for s, t in routes]
        nothing = x.new_zeros(num_targets, *x.shape[1:], dtype=dtype)
        return sum((scatter(part, target, num_targets) for part, target in parts), nothing)
    flat = [index for route in routes for index in route]
    if is_compiled(x, "auto"):  # which would read and write anywhere
        for source, target in routes:
            check_rows("sources of a route", source, x.shape[0])
            check_rows("targets of a route", target, num_targets)
    return _WeightedSum.apply(weight.to(dtype), x.to(dtype), num_targets, *flat)


class _WeightedSum(torch.autograd.Function):
    """The weighted sum; its derivatives are the reversed sum and `_EdgeProduct`."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, num_targets: int, *flat: Tensor) -> Tensor:
        ctx.save_for_backward(weight, x, *flat)
        out = x.new_zeros(num_targets, *x.shape[1:])
        if is_compiled(x, "auto"):
            from geozoo.ops._loops import add_weighted

            _run(add_weighted, weight, x, flat, out)
            return out
        size = _block_size(weight)
        gathered = x.new_empty(min(size, len(weight)), *x.shape[1:])
        for rows, routes in _blocks(size, len(weight), flat):
            for source, target in routes:
                part = gathered[: len(source)]
                torch.index_select(x, 0, source, out=part)
                out.index_add_(0, target, part.mul_(weight[rows][: len(source)]))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, x, *flat = ctx.saved_tensors
        by_weight = by_x = None
        if ctx.needs_input_grad[0]:
            by_weight = _EdgeProduct.apply(grad, x, len(weight), *flat)
        if ctx.needs_input_grad[1]:
            by_x = _WeightedSum.apply(weight, grad, len(x), *_reversed(flat))
        return by_weight, by_x, None, *[None] * len(flat)


class _EdgeProduct(torch.autograd.Function):
    """Product of the features at both ends, summed over the edges of each row; ``[E, ..., C]``."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor, num_rows: int, *flat: Tensor) -> Tensor:
        ctx.save_for_backward(y, x, *flat)
        if is_compiled(x, "auto"):
            from geozoo.ops._loops import add_products

            out = x.new_empty(num_rows, *x.shape[1:])
            _run(add_products, y, x, flat, out)
            return out
        out = x.new_empty(num_rows, *x.shape[1:])
        size = _block_size(out)
        ends = x.new_empty(2, min(size, num_rows), *x.shape[1:])
        for rows, routes in _blocks(size, num_rows, flat):
            block = out[rows].zero_()
            for source, target in routes:
                first, second = ends[:, : len(source)]
                torch.index_select(y, 0, target, out=first)
                torch.index_select(x, 0, source, out=second)
                block[: len(source)].addcmul_(first, second)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, x, *flat = ctx.saved_tensors
        by_y = by_x = None
        if ctx.needs_input_grad[0]:
            by_y = _WeightedSum.apply(grad, x, len(y), *flat)
        if ctx.needs_input_grad[1]:
            by_x = _WeightedSum.apply(grad, y, len(x), *_reversed(flat))
        return by_y, by_x, None, *[None] * len(flat)


def _run(
    loop: Callable[..., None], first: Tensor, x: Tensor, flat: tuple[Tensor, ...], out: Tensor
) -> None:
    """Run a compiled loop over two routes at a time, which add to ``out``."""
    width = math.prod(x.shape[1:])
    given = [tensor.reshape(tensor.shape[0], width) for tensor in (first, x)]
    indices = [index.contiguous().numpy() for index in flat]
    indices += [np.zeros(0, np.int64)] * (-len(indices) % 4 or 4 * (not indices))
    arrays = [tensor.detach().contiguous().numpy() for tensor in given]
    for i in range(0, len(indices), 4):
        loop(*arrays, *indices[i : i + 4], out.view(out.shape[0], width).numpy(), i == 0)


def _reversed(flat: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    """Exchange sources and targets."""
    return [flat[i ^ 1] for i in range(len(flat))]


def _block_size(weight: Tensor) -> int:
    """Number of rows to process at a time."""
    if weight.device.type != "cpu" or not weight.numel():
        return max(len(weight), 1)
    return max(CHUNK_BYTES // (weight[0].numel() * weight.element_size()), 16)


def _blocks(
    size: int, num_rows: int, flat: tuple[Tensor, ...]
) -> Iterator[tuple[slice, list[Route]]]:
    """Blocks of rows with the corresponding part of each route."""
    for start in range(0, num_rows, size):
        rows = slice(start, start + size)
        ends = [index[rows] for index in flat]
        routes = list(zip(ends[::2], ends[1::2], strict=True))
        yield rows, [route for route in routes if len(route[0])]
