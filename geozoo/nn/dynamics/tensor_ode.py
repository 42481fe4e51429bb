"""Linear graph ODE with one map per axis: sensors, time and channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape, checked_times
from geozoo.nn.dynamics._bounded_matrix import bounded_matrix
from geozoo.nn.graph._propagate import propagate
from geozoo.ode import Integrator


class TensorODE(nn.Module):
    r"""Linear graph ODE that mixes features over a fixed graph, time and channels.

    .. math::
        \dot h = \Big(\tfrac{a}{2} A\Big)\, h - h + h \times_T U - h + h \times_C W - h + h_0,
        \qquad y = \mathrm{ReLU}(h(t))

    with :math:`a = \sigma(\alpha)` per sensor; U and W are symmetric with a bounded spectrum, see
    `bounded_matrix`. The predecessor of `NodeODE`: a learned linear map over time instead of
    attention, and no learned graph.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        steps: number T of time steps.
        times: time points of the solver, starting with that of the input; the last state is used.
        integrator: ODE solver and its tolerances.

    Raises:
        ValueError: If a size is below 1, or there are fewer than two times.

    Reference:
        Z. Fang, Q. Long, G. Song, K. Xie, Spatial-Temporal Graph ODE Networks for Traffic Flow
        Forecasting, KDD 2021, arXiv:2106.12931 (tensor-based ODE).
    """

    def __init__(
        self,
        num_nodes: int,
        channels: int,
        steps: int = 12,
        *,
        times: Sequence[float] = (0.0, 1.0),
        integrator: Integrator = Integrator(),  # noqa: B008
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels, steps=steps)
        self.num_nodes, self.channels, self.steps = num_nodes, channels, steps
        self.times = checked_times(times)
        self.integrator = integrator
        self.alpha = nn.Parameter(torch.full((num_nodes,), 0.8))
        self.time_weight = nn.Parameter(torch.eye(steps))
        self.time_diagonal = nn.Parameter(torch.ones(steps))
        self.channel_weight = nn.Parameter(torch.eye(channels))
        self.channel_diagonal = nn.Parameter(torch.ones(channels))

    def forward(
        self, x: Float[Tensor, "B N T C"], adjacency: Float[Tensor, "N N"]
    ) -> Float[Tensor, "B N T C"]:
        """Return the state at the last time point, after a ReLU.

        Args:
            x: features of each window, sensor and step.
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N T C", None, self.num_nodes, self.steps, self.channels)
        check_shape("adjacency", adjacency, "N N", self.num_nodes, self.num_nodes)
        rate = (torch.sigmoid(self.alpha) / 2).view(-1, 1, 1)
        along_time = bounded_matrix(self.time_weight, self.time_diagonal)
        along_channels = bounded_matrix(self.channel_weight, self.channel_diagonal)
        # The three decay terms -h, on the diagonal of the channel matrix.
        along_channels = along_channels - 3 * torch.eye(
            self.channels, dtype=x.dtype, device=x.device
        )

        def derivative(_: Tensor, state: Tensor) -> Tensor:
            mixed = torch.einsum("st,bntc->bnsc", along_time, state) + state @ along_channels
            # The adjacency as given: a constant one with few edges is multiplied as such.
            return torch.addcmul(mixed + x, rate, propagate(adjacency, state))

        needed = [
            part for part in (adjacency, rate, along_time, along_channels, x) if part.requires_grad
        ]
        last = self.integrator.states(derivative, x, self.times, needed)[-1]
        return functional.relu(last)
