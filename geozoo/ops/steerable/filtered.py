"""Sums of steerable features whose weights are a function of each row, for large graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops._blockwise import saves_memory
from geozoo.ops._textbook import recomputed
from geozoo.ops.steerable._run import run_kernel
from geozoo.ops.steerable.paths import SteerablePaths
from geozoo.ops.steerable.sum import EdgeRows, is_compiled, steerable_sum

#: Bytes of the weights of a block of rows.
BLOCK_BYTES = 64 << 20


def filtered_sum(
    x: Float[Tensor, "N X"],
    y: Float[Tensor, "R Y"],
    filter_of: Callable[..., Tensor],
    inputs: tuple[Tensor, ...],
    edges: EdgeRows,
    paths: SteerablePaths,
    *,
    weights: Iterable[Tensor] = (),
) -> Float[Tensor, "N out"]:
    """`steerable_sum` with the weights ``filter_of(*inputs)`` of each row.

    For large graphs on a CPU, weights are computed for one block of rows at a time, and computed
    again in the backward pass, so that memory does not hold them all. This requires that
    ``weights`` need no gradient, as when a trained model is evaluated. Values and derivatives of
    any order agree up to rounding.

    Args:
        x: features of the nodes.
        y: harmonics of each row.
        filter_of: called with the ``inputs`` of some rows; returns their weights ``[rows, W]``.
        inputs: tensors ``[R, ...]``.
        edges: the edges.
        paths: the paths.
        weights: parameters on which ``filter_of`` depends.

    Raises:
        ValueError: If a tensor has the wrong width.
    """
    like = inputs[0]
    if not saves_memory(like, lambda: edges.num_rows * paths.w_width, weights):
        return steerable_sum(x, y, filter_of(*inputs), edges, paths)
    size = max(1, BLOCK_BYTES // (paths.w_width * like.element_size()))
    blocks = edges.blocks(size)
    same = all(each.dtype == x.dtype for each in (y, *inputs))
    if same and is_compiled(x, "auto"):
        return _FilteredSum.apply(filter_of, blocks, paths, x, y, *inputs)
    return _recomputed_sum(filter_of, blocks, paths, x, y, *inputs)


Blocks = list[tuple[int, int, EdgeRows]]


def _recomputed_sum(
    filter_of: Callable[..., Tensor], blocks: Blocks, paths: SteerablePaths, x: Tensor, y: Tensor,
    *inputs: Tensor,
) -> Tensor:  # fmt: skip
    """The sum block by block, recomputed in the backward pass."""
    out = x.new_zeros(x.shape[0], paths.out_width)
    for begin, end, part in blocks:

        def block(x: Tensor, y: Tensor, *given: Tensor, part: EdgeRows = part) -> Tensor:
            return steerable_sum(x, y, filter_of(*given), part, paths)

        rows = (y[begin:end], *(each[begin:end] for each in inputs))
        if torch.is_grad_enabled():
            out = out + recomputed(block, x, *rows, keeps_random=False)
        else:
            out += block(x, *rows)
    return out


class _FilteredSum(torch.autograd.Function):
    """The sum block by block, with every block added in place, so that the cost is linear."""

    @staticmethod
    def forward(
        ctx: Any, filter_of: Callable[..., Tensor], blocks: Blocks, paths: SteerablePaths,
        x: Tensor, y: Tensor, *inputs: Tensor,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, y, *inputs)
        ctx.given = filter_of, blocks, paths
        x, y = x.contiguous(), y.contiguous()
        out = x.new_zeros(x.shape[0], paths.out_width)
        for begin, end, part in blocks:
            weights = filter_of(*(each[begin:end] for each in inputs)).contiguous()
            run_kernel("forward", paths, part, x, y[begin:end], weights, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of higher order
            # Views: features may depend on the inputs through earlier layers.
            views = [each.view_as(each) for each in tensors]
            wanted = [each for each in views if each.requires_grad]
            out = _recomputed_sum(*ctx.given, *views)
            found = iter(torch.autograd.grad(out, wanted, grad, create_graph=True))
            return None, None, None, *(next(found) if e.requires_grad else None for e in views)
        return None, None, None, *_gradients(*ctx.given, grad.contiguous(), *tensors)


def _gradients(
    filter_of: Callable[..., Tensor], blocks: Blocks, paths: SteerablePaths, grad: Tensor,
    x: Tensor, y: Tensor, *inputs: Tensor,
) -> list[Tensor]:  # fmt: skip
    """First derivatives with respect to features, harmonics and inputs of the filter."""
    x, y = x.detach().contiguous(), y.detach().contiguous()
    of_x, of_y = torch.zeros_like(x), torch.zeros_like(y)
    of_inputs = [torch.zeros_like(each) for each in inputs]
    for begin, end, part in blocks:
        rows = [each[begin:end].detach().requires_grad_() for each in inputs]
        with torch.enable_grad():
            weights = filter_of(*rows)
        of_weights = torch.zeros_like(weights, memory_format=torch.contiguous_format)
        run_kernel(
            "backward", paths, part, x, y[begin:end], weights.contiguous(), grad, of_x,
            of_y[begin:end], of_weights,
        )  # fmt: skip
        for whole, rows_of in zip(
            of_inputs, torch.autograd.grad(weights, rows, of_weights), strict=True
        ):
            whole[begin:end] = rows_of
    return [of_x, of_y, *of_inputs]
