"""Cache-friendly evaluation of pointwise expressions, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_autocast, is_traced

#: Bytes of the first tensor processed at a time, so that a few such blocks fit a core's cache.
CHUNK_BYTES = 1 << 18

#: An expression whose rows depend only on the same rows of its arguments.
Expression = Callable[..., Tensor]
#: Called with a gradient of the result of an expression and with its arguments; returns the
#: gradients of the arguments.
Gradients = Callable[..., "tuple[Tensor, ...]"]
Piece = tuple[slice, slice]


def rowwise(
    expression: Expression,
    *tensors: Tensor,
    shared: tuple[Tensor, ...] = (),
    gradients: Gradients | None = None,
) -> Tensor:
    """Evaluate an expression block by block along its first two axes, storing only its arguments.

    As plain operations, every step of an expression reads and writes whole tensors, and the
    intermediate results needed for derivatives stay in memory. Here, on a CPU, all steps run on one
    block at a time, and the backward pass recomputes the expression. Values and derivatives of any
    order are those of ``expression(*tensors, *shared)``, which is called directly on other devices
    and under compilers.

    Args:
        expression: called with blocks of the tensors and with the shared tensors; returns one
            tensor. Its result at ``[a, b]`` must depend only on the entries ``[a, b]`` of the
            arguments, and on no other tensor that requires a gradient.
        tensors: arguments ``[A, B, ...]``, which may be expanded tensors.
        shared: small further arguments, passed whole to every block.
        gradients: called with a block of the gradient and the arguments of the expression; returns
            the gradients of these, each with the shape of its argument. It saves the time to
            derive the expression. None: by automatic differentiation, as for derivatives of
            higher order.

    Returns:
        A tensor ``[A, B, ...]``.

    Raises:
        ValueError: If the first two axes differ or are missing.

    >>> rowwise(lambda a, b: a * b.sigmoid() + a, torch.ones(1, 2), torch.zeros(1, 2))
    tensor([[1.5000, 1.5000]])
    """
    first = tensors[0]
    if any(tensor.dim() < 2 or tensor.shape[:2] != first.shape[:2] for tensor in tensors):
        raise ValueError(
            "tensors must agree in their first two axes, got "
            + ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        )
    if is_traced() or is_textbook() or first.device.type != "cpu" or is_autocast(first):
        return expression(*tensors, *shared)
    # Checked last, so that tracing does not specialise on the size.
    if first.numel() * first.element_size() <= CHUNK_BYTES:
        return expression(*tensors, *shared)
    return _Rowwise.apply(expression, gradients, len(tensors), *tensors, *shared)


class _Rowwise(torch.autograd.Function):
    """The expression, evaluated block by block."""

    @staticmethod
    def forward(
        ctx: Any, expression: Expression, gradients: Gradients | None, count: int, *given: Tensor
    ) -> Tensor:
        ctx.expression, ctx.gradients, ctx.count = expression, gradients, count
        ctx.save_for_backward(*given)
        out: Tensor | None = None
        for piece in _pieces(given[0]):
            value = expression(*_cut(given, count, piece))
            if out is None:
                out = value.new_empty(*given[0].shape[:2], *value.shape[2:])
            out[piece] = value
        assert out is not None  # an empty first tensor is small
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        given, needed = ctx.saved_tensors, ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():  # higher derivatives are needed: recompute under autograd
            # Separate views, since the same tensor may be passed twice.
            views = [tensor.view_as(tensor) for tensor in given]
            found = _gradients(ctx.expression(*views), views, needed, grad, True)
            return None, None, None, *found
        totals = [
            _allocate(tensor, index < ctx.count) if is_needed else None
            for index, (tensor, is_needed) in enumerate(zip(given, needed, strict=True))
        ]
        for piece in _pieces(given[0]):
            cut = _cut(given, ctx.count, piece)
            if ctx.gradients is not None:
                found = ctx.gradients(grad[piece], *cut)
            else:
                found = _derived(ctx.expression, cut, needed, grad[piece])
            for index, (total, gradient) in enumerate(zip(totals, found, strict=True)):
                if total is None:
                    continue
                if index >= ctx.count:
                    total.add_(0 if gradient is None else gradient)
                else:
                    total[piece] = 0 if gradient is None else gradient
        return None, None, None, *totals


def _allocate(tensor: Tensor, filled_by_pieces: bool) -> Tensor:
    make = torch.empty_like if filled_by_pieces else torch.zeros_like
    return make(tensor, memory_format=torch.contiguous_format)


def _derived(
    expression: Expression, cut: list[Tensor], needed: tuple[bool, ...], grad: Tensor
) -> list[Tensor | None]:
    """Gradients of the arguments of a block by automatic differentiation."""
    with torch.enable_grad():
        part = [t.detach().requires_grad_(n) for t, n in zip(cut, needed, strict=True)]
        value = expression(*part)
    return _gradients(value, part, needed, grad, False)


def _gradients(
    value: Tensor, given: list[Tensor], needed: tuple[bool, ...], grad: Tensor, create_graph: bool
) -> list[Tensor | None]:
    """Gradients of the arguments that need one; None for the others."""
    inputs = [tensor for tensor, is_needed in zip(given, needed, strict=True) if is_needed]
    options = {"create_graph": create_graph, "allow_unused": True}
    gradients = iter(torch.autograd.grad(value, inputs, grad, **options))
    return [next(gradients) if is_needed else None for is_needed in needed]


def _cut(given: tuple[Tensor, ...], count: int, piece: Piece) -> list[Tensor]:
    return [tensor[piece] if index < count else tensor for index, tensor in enumerate(given)]


def _pieces(whole: Tensor) -> Iterator[Piece]:
    """Split the first two axes into blocks of about `CHUNK_BYTES`."""
    rows, columns = whole.shape[:2]
    width = max(CHUNK_BYTES * rows * columns // (whole.numel() * whole.element_size()), 1)
    height = max(width // columns, 1)
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield slice(row, row + height), slice(column, column + width)
