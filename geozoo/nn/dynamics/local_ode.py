"""Short graph ODEs on segments of the window, each with a learned initial state."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.attention import SensorAttention
from geozoo.nn.dynamics.node_ode import NodeODE
from geozoo.ode import Integrator


class LocalODE(nn.Module):
    """Local graph ODEs: a learned initial state for each segment of the window, then integration.

    The T steps are divided into L segments of ``piece_steps``. Attention over the sensors maps each
    sensor's whole window (T C values) to L initial states of C channels. One `NodeODE` call
    integrates all of them, each with its own weights; the states at the times 1, ...,
    ``piece_steps`` are the steps of the segment.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        steps: number T of time steps.
        piece_steps: time steps per segment; must divide T.
        heads: attention heads.
        key_channels: channels of queries and keys; None: 8 C.
        order: ``"window"``: output steps in temporal order (segment by segment); ``"step"``: the
            first steps of all segments, then the second ones, as in the published code.
        use_attention: False: ablation in which an initial state is a linear map of the sensor's own
            window.
        integrator: ODE solver and its tolerances.
        detach_initial: see `NodeODE`.

    Raises:
        ValueError: If a size is below 1, ``piece_steps`` does not divide ``steps``, or ``order`` is
            unknown.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (local ODE modules).
    """

    def __init__(
        self,
        num_nodes: int,
        channels: int,
        steps: int = 12,
        *,
        piece_steps: int = 3,
        heads: int = 32,
        key_channels: int | None = None,
        order: Literal["window", "step"] = "window",
        use_attention: bool = True,
        integrator: Integrator = Integrator(),  # noqa: B008
        detach_initial: bool = False,
    ) -> None:
        super().__init__()
        check_positive(channels=channels, heads=heads, steps=steps, piece_steps=piece_steps)
        if steps % piece_steps:
            raise ValueError(f"steps must be a multiple of {piece_steps}, got {steps}")
        if order not in ("window", "step"):
            raise ValueError(f'order must be "window" or "step", got {order!r}')
        self.num_nodes, self.channels, self.steps, self.order = num_nodes, channels, steps, order
        self.pieces = steps // piece_steps
        self.attention = SensorAttention(
            steps * channels,
            8 * channels if key_channels is None else key_channels,
            self.pieces * channels,
            heads,
            mix=use_attention,
        )
        self.ode = NodeODE(
            num_nodes,
            channels,
            groups=self.pieces,
            times=range(piece_steps + 1),
            integrator=integrator,
            detach_initial=detach_initial,
        )

    def forward(
        self,
        x: Float[Tensor, "B N T C"],
        graph: Float[Tensor, "*L N N"],
        left: Float[Tensor, "*L 1 1"],
        right: Float[Tensor, "*L 1 1"],
    ) -> Float[Tensor, "B N T C"]:
        """Return the steps of all segments.

        Args:
            x: features of the window.
            graph: A + M, shared by all segments or one for each.
            left: weights w3 of the temporal attention over a single step.
            right: weights w4.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N T C", None, self.num_nodes, self.steps, self.channels)
        summaries = self.attention(x.flatten(2)).unflatten(-1, (self.pieces, self.channels))
        states = self.ode(summaries, graph, left, right)
        return torch.stack(states, 3 if self.order == "window" else 2).flatten(2, 3)
