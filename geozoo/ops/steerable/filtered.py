"""Sums of steerable features whose weights are a function of each row, for large graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops._blockwise import saves_memory
from geozoo.ops._textbook import recomputed
from geozoo.ops.steerable.paths import SteerablePaths
from geozoo.ops.steerable.sum import EdgeRows, steerable_sum

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
    out = x.new_zeros(x.shape[0], paths.out_width)
    for begin in range(0, edges.num_rows, size):
        end = min(begin + size, edges.num_rows)
        part = edges.of_rows(begin, end)

        def block(x: Tensor, y: Tensor, *given: Tensor, part: EdgeRows = part) -> Tensor:
            return steerable_sum(x, y, filter_of(*given), part, paths)

        rows = (y[begin:end], *(each[begin:end] for each in inputs))
        if torch.is_grad_enabled():
            out = out + recomputed(block, x, *rows, keeps_random=False)
        else:
            out += block(x, *rows)
    return out
