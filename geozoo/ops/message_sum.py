"""Sums of messages over edges, block by block for the evaluation of large graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from geozoo.ops._blockwise import saves_memory
from geozoo.ops.steerable.product import Rows, Target

#: Bytes of the arguments of the messages processed at a time, so that they stay in a cache.
CHUNK_BYTES = 2 << 20

#: Sums of the messages of some edges; a tuple of tensors ``[nodes, ...]``.
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
        message: called for some edges with `geozoo.ops.steerable.Rows` for each of ``senders`` and
            ``receivers``, with their ``rows``, and with the keyword ``target``, where messages are
            summed. Returns a tuple of sums ``[target.size, ...]``.
        edge_index: senders and receivers ``[E]``.
        num_nodes: number of rows of the result.
        senders: node tensors ``[N, ...]`` whose rows are selected by sender.
        receivers: node tensors ``[N, ...]`` whose rows are selected by receiver.
        rows: edge tensors ``[E, ...]``.
        weights: other tensors on which messages depend.

    >>> from geozoo.ops import scatter
    >>> index = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    >>> x, weight = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [1.0], [3.0]])
    >>> def message(x, w, target):
    ...     return (scatter(w * x.taken(), target.rows, target.size),)
    >>> message_sum(message, index, 2, senders=(x,), rows=(weight,))[0].tolist()
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
    tensors: Iterable[Tensor],
) -> tuple[Tensor, ...]:  # fmt: skip
    """The sum of messages, for edges between given rows of the node tensors."""
    ends = [index[0]] * counts[0] + [index[1]] * counts[1]
    given = [
        Rows(tensor, ends[number]) if number < len(ends) else tensor
        for number, tensor in enumerate(tensors)
    ]
    return message(*given, target=Target(index[1], num_nodes))


class _Block(NamedTuple):
    """Some edges.

    Attributes:
        edges: which ones.
        nodes: different senders and different receivers.
        ends: senders and receivers of the edges among these.
    """

    edges: slice
    nodes: tuple[Tensor, Tensor]
    ends: tuple[Tensor, Tensor]

    def taken(self, tensors: Iterable[Tensor], counts: tuple[int, int]) -> list[Tensor]:
        """The rows of node tensors and of edge tensors that belong to the edges."""
        nodes = [self.nodes[0]] * counts[0] + [self.nodes[1]] * counts[1]
        return [
            tensor.index_select(0, nodes[number]) if number < len(nodes) else tensor[self.edges]
            for number, tensor in enumerate(tensors)
        ]


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
        for block in _blocks(sender, receiver, tensors):
            nodes = block.nodes[1]
            part = block.taken(tensors, counts)
            sums = _summed(message, counts, len(nodes), block.ends, part)
            if not totals:
                totals = [each.new_zeros(num_nodes, *each.shape[1:]) for each in sums]
            for total, each in zip(totals, sums, strict=True):
                total.index_add_(0, nodes, each)
        return tuple(totals)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sender, receiver, *tensors = ctx.saved_tensors
        needed = ctx.needs_input_grad[5:]
        if torch.is_grad_enabled():  # higher derivatives are needed: recompute under autograd
            # Separate views, since the same tensor may be passed twice.
            views = [tensor.view_as(tensor) for tensor in tensors]
            sums = _summed(ctx.message, ctx.counts, ctx.num_nodes, (sender, receiver), views)
            found = _gradients(sums, views, needed, grads, create_graph=True)
            return None, None, None, None, None, *found
        totals = [
            torch.zeros_like(tensor, memory_format=torch.contiguous_format) if is_needed else None
            for tensor, is_needed in zip(tensors, needed, strict=True)
        ]
        for block in _blocks(sender, receiver, tensors):
            cut = block.taken(tensors, ctx.counts)
            with torch.enable_grad():
                part = [t.detach().requires_grad_(n) for t, n in zip(cut, needed, strict=True)]
                sums = _summed(ctx.message, ctx.counts, len(block.nodes[1]), block.ends, part)
            of_sums = [grad.index_select(0, block.nodes[1]) for grad in grads]
            found = _gradients(sums, part, needed, of_sums, create_graph=False)
            for number, (total, gradient) in enumerate(zip(totals, found, strict=True)):
                if total is None or gradient is None:
                    continue
                if number < sum(ctx.counts):
                    total.index_add_(0, block.nodes[number >= ctx.counts[0]], gradient)
                else:
                    total[block.edges] = gradient
        return None, None, None, None, None, *totals


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


def _blocks(sender: Tensor, receiver: Tensor, tensors: Iterable[Tensor]) -> Iterable[_Block]:
    size = max(CHUNK_BYTES // _row_bytes(tensors), 16)
    for start in range(0, max(len(sender), 1), size):
        edges = slice(start, start + size)
        first, of_first = sender[edges].unique(return_inverse=True)
        last, of_last = receiver[edges].unique(return_inverse=True)
        yield _Block(edges, (first, last), (of_first, of_last))
