"""Products with one matrix per channel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops.steerable.sum import is_compiled


def channelwise_product(
    x: Float[Tensor, "N O C"], matrix: Float[Tensor, "O P C"]
) -> Float[Tensor, "N P C"]:
    r"""Multiply the vectors of each channel by the matrix of that channel.

    .. math:: y_{n p c} = \sum_o x_{n o c}\, M_{o p c}

    On a CPU with numba a compiled loop runs over channels, which are adjacent in memory; elsewhere
    batched matrix products, between which channels move to the front and back. Derivatives of any
    order are such products.

    Args:
        x: vectors of each channel.
        matrix: matrix of each channel.

    Raises:
        ValueError: If shapes do not match.

    >>> channelwise_product(torch.ones(1, 2, 1), torch.tensor([[[1.0]], [[2.0]]])).tolist()
    [[[3.0]]]
    """
    if x.dim() != 3 or matrix.dim() != 3 or x.shape[1:] != (matrix.shape[0], matrix.shape[2]):
        raise ValueError(
            f"matrix must have shape (O, P, C) for x (N, O, C), got {tuple(matrix.shape)} for "
            f"{tuple(x.shape)}"
        )
    if is_textbook():
        return torch.einsum("noc,opc->npc", x, matrix)
    if not is_compiled(x, "auto") or matrix.dtype != x.dtype:
        # Contiguous operands: with strided ones the batched product would copy them one by one.
        mixed = torch.bmm(x.permute(2, 0, 1).contiguous(), matrix.permute(2, 0, 1).contiguous())
        return mixed.permute(1, 2, 0).contiguous()
    return _Product.apply(x, matrix)


class _Product(torch.autograd.Function):
    """The product; its derivatives are the product with the transposed matrices and `_Outer`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        from geozoo.ops._loops import add_mixed

        ctx.save_for_backward(x, matrix)
        out = x.new_zeros(x.shape[0], *matrix.shape[1:])
        add_mixed(x.contiguous().numpy(), matrix.contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, matrix = ctx.saved_tensors
        by_x = by_matrix = None
        if ctx.needs_input_grad[0]:
            by_x = _Product.apply(grad, matrix.transpose(0, 1))
        if ctx.needs_input_grad[1]:
            by_matrix = _Outer.apply(x, grad)
        return by_x, by_matrix


class _Outer(torch.autograd.Function):
    """Outer products of each channel, summed over the first axis; ``[O, P, C]``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        from geozoo.ops._loops import add_outer

        ctx.save_for_backward(x, y)
        out = x.new_zeros(x.shape[1], *y.shape[1:])
        add_outer(x.contiguous().numpy(), y.contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        by_x = by_y = None
        if ctx.needs_input_grad[0]:
            by_x = _Product.apply(y, grad.transpose(0, 1))
        if ctx.needs_input_grad[1]:
            by_y = _Product.apply(x, grad)
        return by_x, by_y
