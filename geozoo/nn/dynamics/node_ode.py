"""Graph ODE on sensor features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape, checked_times
from geozoo.nn.dynamics._node_equation import channel_matrix, node_equation
from geozoo.nn.graph._propagate import propagate
from geozoo.nn.temporal.temporal_attention import attend_to_steps
from geozoo.ode import Integrator
from geozoo.ops import is_textbook


class NodeODE(nn.Module):
    r"""Graph ODE whose dynamics mix sensor features over the graph, time and channels.

    .. math::
        \dot h = \tfrac{a}{2}\, (A + M)\, h - h + T(h) - h + h W - h + h_0

    with :math:`a = \sigma(\alpha)` per sensor, T the attention of `TemporalAttention`,
    :math:`W = (1 + \beta) V - \beta V V^T V`, :math:`V = w\, \mathrm{diag}(\min(\max(d, 0), 1))\,
    w^T` and :math:`\beta = 0.6`. The sensor and channel weights are computed once per call.

    Several modules are evaluated together: the T steps form G groups of T/G steps, each with its
    own alpha, w and d.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        groups: number G of modules.
        times: time points of the solver, starting with that of the input.
        integrator: ODE solver and its tolerances.
        detach_initial: treat h_0 as a constant in the backward pass, as the published code does.

    Raises:
        ValueError: If a size is below 1, or there are fewer than two times.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (global and local ODE modules); the form
        is that of the published code.
    """

    def __init__(
        self,
        num_nodes: int,
        channels: int,
        *,
        groups: int = 1,
        times: Sequence[float] = (0.0, 1.0),
        integrator: Integrator = Integrator(),  # noqa: B008
        detach_initial: bool = False,
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels, groups=groups)
        self.num_nodes, self.channels, self.groups = num_nodes, channels, groups
        self.times = checked_times(times)
        self.integrator, self.detach_initial = integrator, detach_initial
        self.alpha = nn.Parameter(torch.full((groups, num_nodes), 0.8))
        self.weight = nn.Parameter(torch.eye(channels).repeat(groups, 1, 1))
        self.diagonal = nn.Parameter(torch.ones(groups, channels))

    def forward(
        self,
        h: Float[Tensor, "B N T C"],
        graph: Float[Tensor, "*G N N"],
        left: Float[Tensor, "*G S S"],
        right: Float[Tensor, "*G S S"],
    ) -> tuple[Float[Tensor, "B N T C"], ...]:
        """Return the states at all time points after the first.

        Args:
            h: features at the first time point; G divides T, and S is T/G.
            graph: A + M, shared by all groups or one for each.
            left: weights w3 of the temporal attention, shared by all groups or one for each.
            right: weights w4.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("h", h, "B N T C", None, self.num_nodes, None, self.channels)
        if h.shape[2] % self.groups:
            raise ValueError(f"h must have a multiple of {self.groups} steps, got {h.shape[2]}")
        self._check_weights(h.shape[2] // self.groups, graph, left, right)
        if is_textbook():
            return self._as_written(h, graph, left, right)
        # The channel matrix, with the three decay terms -h on its diagonal.
        decay = 3 * torch.eye(self.channels, dtype=h.dtype, device=h.device)
        matrix = self.channel_matrix() - decay
        initial = h.detach() if self.detach_initial else h
        rates = torch.sigmoid(self.alpha) / 2
        rate: Tensor | None = None
        if self.groups == 1:  # the rate scales whole rows of the graph
            graph = rates.mT * graph
        else:
            rate = rates.repeat_interleave(h.shape[2] // self.groups, 0).mT.unsqueeze(-1)

        def derivative(_: Tensor, state: Tensor) -> Tensor:
            total = _mix_channels(state, matrix, attend_to_steps(state, left, right)) + initial
            if rate is None:
                return _add_propagated(total, graph, state)
            return torch.addcmul(total, rate, propagate(graph, state))

        given = (graph, left, right, rate, matrix, initial)
        needed = [part for part in given if part is not None and part.requires_grad]
        return self.integrator.states(derivative, h, self.times, needed)[1:]

    def channel_matrix(self) -> Float[Tensor, "G C C"]:
        """Return the channel matrix W."""
        return channel_matrix(self.weight, self.diagonal)

    def _as_written(
        self, h: Tensor, graph: Tensor, left: Tensor, right: Tensor
    ) -> tuple[Tensor, ...]:
        every = []
        for g, start in enumerate(h.chunk(self.groups, 2)):
            shared = (part if part.dim() == 2 else part[g] for part in (graph, left, right))
            weights = (*shared, self.alpha[g], self.weight[g], self.diagonal[g])
            initial = start.detach() if self.detach_initial else start
            derivative = partial(_at_any_time, given=(initial, *weights))
            needed = [part for part in (initial, *weights) if part.requires_grad]
            every.append(self.integrator.states(derivative, start, self.times, needed)[1:])
        return tuple(torch.cat(states, 2) for states in zip(*every, strict=True))

    def _check_weights(self, steps: int, graph: Tensor, left: Tensor, right: Tensor) -> None:
        for name, weight, size in (
            ("graph", graph, self.num_nodes), ("left", left, steps), ("right", right, steps),
        ):  # fmt: skip
            if weight.dim() == 3:
                check_shape(name, weight, "G S S", self.groups, size, size)
            else:
                check_shape(name, weight, "S S", size, size)


def _at_any_time(_: Tensor, state: Tensor, given: tuple[Tensor, ...]) -> Tensor:
    return node_equation(state, *given)


def _add_propagated(total: Tensor, graph: Tensor, h: Tensor) -> Tensor:
    """Return ``total + propagate(graph, h)``, for one group."""
    graph = graph.reshape(1, *graph.shape[-2:]).expand(h.shape[0], -1, -1)
    return torch.baddbmm(total.flatten(2), graph, h.flatten(2)).view_as(h)


def _mix_channels(h: Tensor, matrix: Tensor, total: Tensor) -> Tensor:
    """Return ``total + h W``."""
    if len(matrix) == 1:
        return torch.addmm(total.flatten(0, 2), h.flatten(0, 2), matrix[0]).view_as(h)
    grouped = h.unflatten(2, (len(matrix), -1))
    return total + torch.einsum("bngsc,gcd->bngsd", grouped, matrix).flatten(2, 3)
