"""Graph ODE on sensor pairs, and its projection to sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.nn.dynamics._factorised_edges import factorised_edge_step
from geozoo.ode import Integrator
from geozoo.ops import is_textbook

EdgeForm = Literal["auto", "factorised", "general"]


class EdgeODE(nn.Module):
    r"""Graph ODE on the time series of sensor pairs, projected to features of single sensors.

    .. math::
        e_{ij}(0) = m_i + m_j, \qquad
        \dot e = \tfrac{a}{2}\, (A + M)\, e - e + T(e) - e + e(0), \qquad
        y_j = \sum_i F_i\, e_{ij}(1) + \beta

    A + M and :math:`a = \sigma(\alpha)` act on the first sensor; T is the temporal attention
    :math:`T(e)_i = e_i\, \sigma\big((e_i w_3)^T (e_i w_4)\big)`, where the rows of :math:`e_i` are
    the second sensors and its columns the time steps.

    Args:
        num_nodes: number N of sensors.
        out_channels: number C of output channels.
        form: ``"general"``: integrate the pair states ``[B, N, N, T]``; ``"factorised"``: the same
            result without a tensor over pairs, for one unit Euler step only; ``"auto"``:
            factorised if possible.
        times: time points of the solver; the final state is projected.
        integrator: ODE solver and its tolerances.
        detach_initial: treat e(0) as a constant in the backward pass, as the published code does.

    Raises:
        ValueError: If a size is below 1, or the factorised form does not support the solver or
            ``times``.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (edge ODE module); the form is that of
        the published code.
    """

    def __init__(
        self,
        num_nodes: int,
        out_channels: int,
        *,
        form: EdgeForm = "auto",
        times: Sequence[float] = (0.0, 1.0),
        integrator: Integrator = Integrator(),  # noqa: B008
        detach_initial: bool = False,
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, out_channels=out_channels)
        self.num_nodes = num_nodes
        self.times = tuple(float(time) for time in times)
        self.integrator, self.detach_initial = integrator, detach_initial
        self.form = _resolve_form(form, integrator, self.times)
        self.alpha = nn.Parameter(torch.full((num_nodes,), 0.8))
        self.projection = nn.Linear(num_nodes, out_channels)

    def forward(
        self,
        signal: Float[Tensor, "B N T"],
        graph: Float[Tensor, "N N"],
        left: Float[Tensor, "T T"],
        right: Float[Tensor, "T T"],
    ) -> Float[Tensor, "B N T C"]:
        """Return the features of each sensor, the second of the pairs.

        Args:
            signal: the time series m of each sensor.
            graph: A + M.
            left: weights w3 of the temporal attention.
            right: weights w4.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("signal", signal, "B N T", None, self.num_nodes, None)
        check_shape("graph", graph, "N N", self.num_nodes, self.num_nodes)
        for name, weight in (("left", left), ("right", right)):
            check_shape(name, weight, "T T", signal.shape[2], signal.shape[2])
        rate = torch.sigmoid(self.alpha) / 2
        if self.form == "factorised" and not is_textbook():
            return factorised_edge_step(
                signal, graph, left, right, rate, self.projection.weight, self.projection.bias,
                detach_initial=self.detach_initial,
            )  # fmt: skip
        return self._general(signal, graph, left, right, rate.view(-1, 1, 1))

    def _general(
        self, signal: Tensor, graph: Tensor, left: Tensor, right: Tensor, rate: Tensor
    ) -> Tensor:
        pairs = signal.unsqueeze(2) + signal.unsqueeze(1)
        initial = pairs.detach() if self.detach_initial else pairs

        def derivative(_: Tensor, state: Tensor) -> Tensor:
            scores = torch.sigmoid((state @ left).mT @ (state @ right))
            spread = torch.einsum("ik,bkjt->bijt", graph, state)
            return torch.addcmul(state @ scores - 2 * state + initial, rate, spread)

        needed = [part for part in (graph, left, right, rate, initial) if part.requires_grad]
        last = self.integrator.states(derivative, pairs, self.times, needed)[-1]
        return functional.linear(
            last.permute(0, 2, 3, 1), self.projection.weight, self.projection.bias
        )


def _resolve_form(form: str, integrator: Integrator, times: tuple[float, ...]) -> str:
    if form not in ("auto", "factorised", "general"):
        raise ValueError(f'form must be "auto", "factorised" or "general", got {form!r}')
    possible = integrator.unrolled and len(times) == 2 and times[1] - times[0] == 1
    if form == "factorised" and not possible:
        raise ValueError(
            'form "factorised" needs one unit step of the solver "euler" without adjoint, got '
            f"times {times} and {integrator}"
        )
    if form == "auto":
        return "factorised" if possible else "general"
    return form
