"""Expressions of many small steps, evaluated while a piece of the tensors is in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_autocast, is_traced

#: Bytes of the first tensor that are worked on at a time, so that a few such fit a core's cache.
CHUNK_BYTES = 1 << 18

#: An expression whose rows depend on the same rows of its arguments only.
Expression = Callable[..., Tensor]
Piece = tuple[slice, slice]


def rowwise(expression: Expression, *tensors: Tensor, shared: tuple[Tensor, ...] = ()) -> Tensor:
    """Evaluate an expression piece by piece along its first two axes, keeping its arguments only.

    Written as plain operations, every step of an expression reads and writes whole tensors, and
    those that derivatives need stay in memory. Here, on a CPU, all steps run on a piece at a time;
    the backward pass evaluates the expression again. Values and derivatives, of any order, are
    those of ``expression(*tensors, *shared)``, which is what other devices and compilers see.

    Args:
        expression: called with pieces of the tensors and with the shared tensors; returns one
            tensor. What it returns for ``[a, b]`` must depend on that place of the arguments only,
            and on no other tensor that needs a gradient.
        tensors: arguments ``[A, B, ...]``; expanded ones may be among them.
        shared: small further arguments that all pieces see whole.

    Returns:
        A tensor ``[A, B, ...]``.

    Raises:
        ValueError: if the first two axes differ or are missing.

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
    # Asked last: a tracer would hold on to the sizes for which the answer is the same.
    if first.numel() * first.element_size() <= CHUNK_BYTES:
        return expression(*tensors, *shared)
    return _Rowwise.apply(expression, len(tensors), *tensors, *shared)


class _Rowwise(torch.autograd.Function):
    """The expression, piece by piece."""

    @staticmethod
    def forward(ctx: Any, expression: Expression, count: int, *given: Tensor) -> Tensor:
        ctx.expression, ctx.count = expression, count
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
        given, needed = ctx.saved_tensors, ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # its derivative is wanted too: let autograd see it all
            # Other tensors of the same values, as one may be given twice.
            apart = [tensor.view_as(tensor) for tensor in given]
            return None, None, *_gradients(ctx.expression(*apart), apart, needed, grad, True)
        whole = [
            _room(tensor, place < ctx.count) if is_needed else None
            for place, (tensor, is_needed) in enumerate(zip(given, needed, strict=True))
        ]
        for piece in _pieces(given[0]):
            cut = _cut(given, ctx.count, piece)
            with torch.enable_grad():
                part = [t.detach().requires_grad_(n) for t, n in zip(cut, needed, strict=True)]
                value = ctx.expression(*part)
            found = _gradients(value, part, needed, grad[piece], False)
            for place, (total, gradient) in enumerate(zip(whole, found, strict=True)):
                if total is None:
                    continue
                if place >= ctx.count:
                    total.add_(0 if gradient is None else gradient)
                else:
                    total[piece] = 0 if gradient is None else gradient
        return None, None, *whole


def _room(tensor: Tensor, filled_by_pieces: bool) -> Tensor:
    make = torch.empty_like if filled_by_pieces else torch.zeros_like
    return make(tensor, memory_format=torch.contiguous_format)


def _gradients(
    value: Tensor, given: list[Tensor], needed: tuple[bool, ...], grad: Tensor, create_graph: bool
) -> list[Tensor | None]:
    """Gradient for each argument that needs one; None for the others."""
    wanted = [tensor for tensor, is_needed in zip(given, needed, strict=True) if is_needed]
    options = {"create_graph": create_graph, "allow_unused": True}
    found = iter(torch.autograd.grad(value, wanted, grad, **options))
    return [next(found) if is_needed else None for is_needed in needed]


def _cut(given: tuple[Tensor, ...], count: int, piece: Piece) -> list[Tensor]:
    return [tensor[piece] if place < count else tensor for place, tensor in enumerate(given)]


def _pieces(whole: Tensor) -> Iterator[Piece]:
    """Cut the first two axes such that a piece has about `CHUNK_BYTES`."""
    rows, columns = whole.shape[:2]
    width = max(CHUNK_BYTES * rows * columns // (whole.numel() * whole.element_size()), 1)
    height = max(width // columns, 1)
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield slice(row, row + height), slice(column, column + width)
