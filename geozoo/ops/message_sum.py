"""Sums of messages over edges without storing messages, for the evaluation of large graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from geozoo.ops._blockwise import saves_memory
from geozoo.ops.scatter import scatter

#: Bytes of the arguments of the messages processed at a time, so that they stay in a cache.
CHUNK_BYTES = 2 << 20

#: Messages of edges from rows of its arguments; a tuple of tensors ``[edges, ...]``.
Message = Callable[..., tuple[Tensor, ...]]


def message_sum(
    message: Message,
    edge_index: tuple[Tensor, Tensor],
    num_nodes: int,
    *,
    senders: tuple[Tensor, ...] = (),
    receivers: tuple[Tensor, ...] = (),
    rows: tuple[Tensor, ...] = (),
    weights: Iterable[Tensor] = (),
) -> tuple[Tensor, ...]:
    r"""Sum messages over the edges of each receiver.

    .. math:: y_i = \sum_{j \to i} m(s_j, r_i, e_{ij})

    For large graphs on a CPU, messages are computed for one block of edges at a time, and computed
    again in the backward pass, so that memory does not hold any tensor of one row per edge besides
    ``rows``. This requires that ``weights`` need no gradient, as when a trained model is evaluated;
    otherwise all messages are computed at once. Values and derivatives of any order agree up to
    rounding.

    Args:
        message: called with the rows of ``senders``, ``receivers`` and ``rows`` that belong to some
            edges; returns a tuple of tensors with a row per edge, which depends on the same row of
            the arguments only.
        edge_index: senders and receivers ``[E]``.
        num_nodes: number of rows of the result.
        senders: node tensors ``[N, ...]`` whose rows are selected by sender.
        receivers: node tensors ``[N, ...]`` whose rows are selected by receiver.
        rows: edge tensors ``[E, ...]``.
        weights: other tensors on which messages depend.

    >>> index = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    >>> x, weight = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [1.0], [3.0]])
    >>> message_sum(lambda x, w: (w * x,), index, 2, senders=(x,), rows=(weight,))[0].tolist()
    [[3.0], [6.0]]
    """
    counts, tensors = (len(senders), len(receivers)), (*senders, *receivers, *rows)
    if not saves_memory(tensors[0], lambda: _numel(edge_index[0], tensors), weights):
        return _summed(message, counts, num_nodes, edge_index, tensors)
    return _MessageSum.apply(message, counts, num_nodes, *edge_index, *tensors)


def _numel(sender: Tensor, tensors: tuple[Tensor, ...]) -> int:
    """Number of elements of all arguments of all messages."""
    return len(sender) * sum(tensor.shape[1:].numel() for tensor in tensors)


def _summed(
    message: Message, counts: tuple[int, int], num_nodes: int, index: tuple[Tensor, Tensor],
    tensors: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:  # fmt: skip
    messages = message(*_gathered(tensors, counts, *index, slice(None)))
    return tuple(scatter(each, index[1], num_nodes) for each in messages)


class _MessageSum(torch.autograd.Function):
    """The sum, block by block."""

    @staticmethod
    def forward(
        ctx: Any, message: Message, counts: tuple[int, int], num_nodes: int, sender: Tensor,
        receiver: Tensor, *tensors: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        ctx.message, ctx.counts, ctx.num_nodes = message, counts, num_nodes
        ctx.save_for_backward(sender, receiver, *tensors)
        totals: list[Tensor] = []
        for piece in _pieces(sender, tensors):
            messages = message(*_gathered(tensors, counts, sender, receiver, piece))
            if not totals:
                totals = [each.new_zeros(num_nodes, *each.shape[1:]) for each in messages]
            for total, each in zip(totals, messages, strict=True):
                total.index_add_(0, receiver[piece], each)
        return tuple(totals)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sender, receiver, *tensors = ctx.saved_tensors
        needed = ctx.needs_input_grad[5:]
        if torch.is_grad_enabled():  # higher derivatives are needed: recompute under autograd
            # Separate views, since the same tensor may be passed twice.
            views = [tensor.view_as(tensor) for tensor in tensors]
            sums = _summed(ctx.message, ctx.counts, ctx.num_nodes, (sender, receiver), (*views,))
            found = _gradients(sums, views, needed, grads, create_graph=True)
            return None, None, None, None, None, *found
        totals = [
            torch.zeros_like(tensor, memory_format=torch.contiguous_format) if is_needed else None
            for tensor, is_needed in zip(tensors, needed, strict=True)
        ]
        for piece in _pieces(sender, tensors):
            cut = _gathered(tensors, ctx.counts, sender, receiver, piece)
            with torch.enable_grad():
                part = [t.detach().requires_grad_(n) for t, n in zip(cut, needed, strict=True)]
                messages = ctx.message(*part)
            by_message = [grad.index_select(0, receiver[piece]) for grad in grads]
            found = _gradients(messages, part, needed, by_message, create_graph=False)
            for index, (total, gradient) in enumerate(zip(totals, found, strict=True)):
                if total is None or gradient is None:
                    continue
                if index < sum(ctx.counts):
                    chosen = sender if index < ctx.counts[0] else receiver
                    total.index_add_(0, chosen[piece], gradient)
                else:
                    total[piece] = gradient
        return None, None, None, None, None, *totals


def _gathered(
    tensors: Iterable[Tensor], counts: tuple[int, int], sender: Tensor, receiver: Tensor,
    piece: slice,
) -> list[Tensor]:  # fmt: skip
    """The rows of some edges."""
    ends = [sender[piece]] * counts[0] + [receiver[piece]] * counts[1]
    return [
        tensor.index_select(0, ends[index]) if index < len(ends) else tensor[piece]
        for index, tensor in enumerate(tensors)
    ]


def _gradients(
    values: Iterable[Tensor], given: list[Tensor], needed: tuple[bool, ...],
    grads: Iterable[Tensor], *, create_graph: bool,
) -> list[Tensor | None]:  # fmt: skip
    """Gradients of the arguments that need one; None for the others."""
    pairs = [pair for pair in zip(values, grads, strict=True) if pair[0].requires_grad]
    inputs = [tensor for tensor, is_needed in zip(given, needed, strict=True) if is_needed]
    if not pairs:
        return [None] * len(given)
    outputs, grads = zip(*pairs, strict=True)
    found = iter(
        torch.autograd.grad(outputs, inputs, grads, create_graph=create_graph, allow_unused=True)
    )
    return [next(found) if is_needed else None for is_needed in needed]


def _row_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.shape[1:].numel() * tensor.element_size() for tensor in tensors)


def _pieces(sender: Tensor, tensors: Iterable[Tensor]) -> Iterable[slice]:
    size = max(CHUNK_BYTES // _row_bytes(tensors), 16)
    return (slice(start, start + size) for start in range(0, len(sender), size))
