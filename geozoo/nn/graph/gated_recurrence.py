"""Gated recurrent units whose linear maps are graph convolutions, all steps in one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.nn.graph._propagate import add_propagated_back, propagate
from geozoo.ops import is_textbook, is_traced
from geozoo.ops._tracing import is_autocast

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


def gated_recurrence(
    inputs: Float[Tensor, "T N B 3C"],
    state: Float[Tensor, "N B C"],
    gates: Float[Tensor, "K G C 2C"],
    candidate: Float[Tensor, "K G C C"],
    graphs: Sequence[Float[Tensor, "N N"]],
    num_hops: int = 1,
) -> Float[Tensor, "T N B C"]:
    r"""Return the states of a GRU with graph convolutions of its state.

    .. math::
        r, u &= \sigma\Bigl(i_t + \sum_k (P_k\, h)\, W_k\Bigr), \quad
        c = \tanh\Bigl(j_t + \sum_k \bigl(P_k\, (r \odot h)\bigr)\, V_k\Bigr), \quad
        h \leftarrow u \odot h + (1 - u) \odot c

    with :math:`P_0 = 1` and then, graph by graph, its powers 1, ..., ``num_hops``. A graph
    convolution is linear, so the part ``(i, j)`` of the inputs is computed for all steps before.
    The backward pass multiplies once for the weights of all steps, if each node has its own.
    Derivatives of any order.

    Args:
        inputs: ``[T, N, B, 3 C]``, the inputs of r, u and c, with biases.
        state: initial state.
        gates: weights W, of each node (G = N) or of all (G = 1).
        candidate: weights V.
        graphs: matrices, the weight of j -> i at ``[i, j]``.
        num_hops: highest power of each graph.
    """
    call = _Call(len(graphs), num_hops, torch.is_grad_enabled())
    out: Tensor = _Recurrence.apply(call, inputs, state, gates, candidate, *graphs)
    return out


class _Call(NamedTuple):
    """What the operation needs beside tensors."""

    num_graphs: int
    num_hops: int
    keeps: bool


def uses_recurrence(x: Tensor) -> bool:
    """Return whether a network evaluates `gated_recurrence`; otherwise, its cells step by step."""
    return not (is_traced() or is_textbook() or x.device.type != "cpu" or is_autocast(x))


def hops(
    x: Float[Tensor, "T N *rest"], graphs: Sequence[Float[Tensor, "N N"]], num_hops: int = 1
) -> list[Float[Tensor, "T N *rest"]]:
    """Return x, and the result of 1, ..., ``num_hops`` propagations over each of the graphs."""
    parts = [x]
    for graph in graphs:
        moved = x
        for _ in range(num_hops):
            moved = propagate(graph, moved)
            parts.append(moved)
    return parts


def _as_written(
    inputs: Tensor, state: Tensor, gates: Tensor, candidate: Tensor, graphs: Sequence[Tensor],
    num_hops: int,
) -> Tensor:  # fmt: skip
    """The recurrence step by step, for derivatives of higher order."""
    channels, states = state.shape[-1], []
    for given in inputs.unbind(0):
        parts = hops(state.unsqueeze(0), graphs, num_hops)
        both = torch.sigmoid(_mapped(parts, gates, given[..., : 2 * channels]))
        reset, update = both.chunk(2, -1)
        parts = hops((reset * state).unsqueeze(0), graphs, num_hops)
        new = torch.tanh(_mapped(parts, candidate, given[..., 2 * channels :]))
        state = update * state + (1 - update) * new
        states.append(state)
    return torch.stack(states)


def _mapped(parts: Sequence[Tensor], weights: Tensor, total: Tensor) -> Tensor:
    """Return ``total [N, B, out]`` plus the mapped parts ``[1, N, B, C]``."""
    groups = weights.shape[1]
    rows = total.reshape(groups, -1, total.shape[-1])
    for part, weight in zip(parts, weights, strict=True):
        rows = torch.baddbmm(rows, part.reshape(groups, -1, part.shape[-1]), weight)
    return rows.view(total.shape)


class _Recurrence(torch.autograd.Function):
    """The recurrence, with its backward pass written out."""

    @staticmethod
    def forward(
        ctx: Any, call: _Call, inputs: Tensor, state: Tensor, gates: Tensor, candidate: Tensor,
        *graphs: Tensor,
    ) -> Tensor:  # fmt: skip
        channels = state.shape[-1]
        out = state.new_empty(len(inputs), *state.shape)
        before: Tensor = state.contiguous()
        kept: list[Tensor] = []
        for step, given in enumerate(inputs):
            parts = hops(before.unsqueeze(0), graphs, call.num_hops)
            both = _mapped_in_place(parts, gates, given[..., : 2 * channels]).sigmoid_()
            reset, update = both.chunk(2, -1)
            reset_parts = hops((reset * before).unsqueeze(0), graphs, call.num_hops)
            new = _mapped_in_place(reset_parts, candidate, given[..., 2 * channels :]).tanh_()
            before = torch.lerp(new, before, update, out=out[step])
            if call.keeps:
                kept += [both, new, *parts[1:], *reset_parts]
        if call.keeps:
            ctx.call = call
            ctx.save_for_backward(inputs, state, gates, candidate, *graphs, out, *kept)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        call, saved = ctx.call, ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of higher order
            # Views: the same tensor may be passed twice.
            views = [each.view_as(each) for each in saved[: 4 + call.num_graphs]]
            wanted = [each for each in views if each.requires_grad]
            inputs, state, gates, candidate, *graphs = views
            again = _as_written(inputs, state, gates, candidate, graphs, call.num_hops)
            found = iter(torch.autograd.grad(again, wanted, grad, create_graph=True))
            return None, *(next(found) if each.requires_grad else None for each in views)
        return None, *_Backward(call, ctx.needs_input_grad[1:], saved).run(grad)


class _Backward:
    """The backward pass through all steps."""

    def __init__(self, call: _Call, needed: Sequence[bool], saved: Sequence[Tensor]) -> None:
        self.num_hops, count = call.num_hops, 4 + call.num_graphs
        self.needed = needed
        self.inputs, self.state, self.gates, self.candidate = saved[:4]
        self.graphs = saved[4:count]
        self.states, self.kept = saved[count], saved[count + 1 :]
        self.of_graphs = [
            torch.zeros_like(graph) if wanted else None
            for graph, wanted in zip(self.graphs, needed[4:], strict=True)
        ]

    def run(self, grad: Tensor) -> list[Tensor | None]:
        channels, powers = self.state.shape[-1], len(self.gates)
        of_inputs = torch.empty_like(self.inputs)
        of_gates = _WeightGradient(self.gates, of_inputs[..., : 2 * channels])
        of_candidate = _WeightGradient(self.candidate, of_inputs[..., 2 * channels :])
        carried = torch.zeros_like(self.state, memory_format=torch.contiguous_format)
        for step in reversed(range(len(of_inputs))):
            both, new, *parts = self.kept[step * (1 + 2 * powers) : (step + 1) * (1 + 2 * powers)]
            before = self.state if step == 0 else self.states[step - 1]
            reset, update = both.chunk(2, -1)
            of_both, of_new = of_inputs[step].split((2 * channels, channels), -1)
            of_reset, of_update = of_both.chunk(2, -1)
            carried += grad[step]
            torch.mul(carried, before - new, out=of_update)
            torch.addcmul(carried, carried, update, value=-1, out=of_new)
            tanh_backward(of_new, new, grad_input=of_new)
            of_candidate.add(step, parts[powers - 1 :])
            of_masked = self._through(parts[powers - 1 :], of_new, self.candidate)
            torch.mul(of_masked, before, out=of_reset)
            sigmoid_backward(of_both, both, grad_input=of_both)
            state_parts = [before.unsqueeze(0), *parts[: powers - 1]]
            of_gates.add(step, state_parts)
            carried.mul_(update).addcmul_(of_masked, reset)
            carried += self._through(state_parts, of_both, self.gates)
        found = [of_inputs, carried, of_gates.total(), of_candidate.total()]
        pairs = zip(found, self.needed, strict=False)
        return [*(part if wanted else None for part, wanted in pairs), *self.of_graphs]

    def _through(self, parts: Sequence[Tensor], grad: Tensor, weights: Tensor) -> Tensor:
        """Gradient of the input of a convolution; adds those of the graphs."""
        groups, width = weights.shape[1], weights.shape[2]
        rows = grad.reshape(groups, -1, grad.shape[-1])
        of_parts = [torch.bmm(rows, weight.mT).view(len(grad), -1) for weight in weights]
        total = of_parts[0]
        for number, graph in enumerate(self.graphs):
            first = 1 + number * self.num_hops
            moved = of_parts[first + self.num_hops - 1]
            for hop in reversed(range(self.num_hops)):
                source = parts[first + hop - 1] if hop else parts[0]
                of_graph = self.of_graphs[number]
                if of_graph is not None:
                    of_graph.addmm_(moved, source[0].flatten(1).mT)
                onto = of_parts[first + hop - 1] if hop else total
                moved = add_propagated_back(graph, moved, onto)
            total = moved
        return total.view(*grad.shape[:-1], width)


class _WeightGradient:
    """Sum over steps: as they come if all nodes share the weights, otherwise at the end."""

    def __init__(self, weights: Tensor, of_outputs: Tensor) -> None:
        self.sum = torch.zeros_like(weights, memory_format=torch.contiguous_format)
        self.is_shared = weights.shape[1] == 1
        self.of_outputs = of_outputs
        self.parts: list[list[Tensor]] = []

    def add(self, step: int, parts: Sequence[Tensor]) -> None:
        """Add a step; steps come last to first."""
        if not self.is_shared:
            self.parts.append([part[0] for part in parts])
            return
        rows = self.of_outputs[step].flatten(0, -2)
        for total, part in zip(self.sum, parts, strict=True):
            total[0].addmm_(part.flatten(0, -2).mT, rows)

    def total(self) -> Tensor:
        """The sum."""
        if not self.is_shared:
            # One product of T B rows for each node, instead of T products of B rows.
            rows = self.of_outputs.transpose(0, 1).flatten(1, 2)
            for total, parts in zip(self.sum, zip(*self.parts[::-1], strict=True), strict=True):
                torch.bmm(torch.cat(parts, 1).mT, rows, out=total)
        return self.sum


def _mapped_in_place(parts: Sequence[Tensor], weights: Tensor, total: Tensor) -> Tensor:
    """`_mapped`, in new memory that later terms are added to in place."""
    groups = weights.shape[1]
    rows = total.reshape(groups, -1, total.shape[-1])
    first, *others = zip(parts, weights, strict=True)
    rows = torch.baddbmm(rows, first[0].reshape(groups, -1, first[0].shape[-1]), first[1])
    for part, weight in others:
        rows.baddbmm_(part.reshape(groups, -1, part.shape[-1]), weight)
    return rows.view(total.shape)
