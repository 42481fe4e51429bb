"""Short graph ODEs, each started from a summary of the whole window."""

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
    """Learn one summary for each short piece of the window and let each flow for the piece's steps.

    The T steps are L pieces of ``piece_steps``. Attention over the sensors turns a sensor's whole
    window (T C numbers) into L summaries of C channels; `NodeODE` lets all of them flow in one
    call, each with its own weights, and its states at the times 1, ..., ``piece_steps`` are the
    steps of the piece.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        steps: number T of steps.
        piece_steps: steps of a piece; divides T.
        heads: heads of the attention.
        key_channels: channels of its queries and keys; None: 8 C.
        order: ``"window"``: steps of the output follow time (piece by piece); ``"step"``: the first
            steps of all pieces, then the second ones, as in the published code.
        use_attention: without (False), a summary is a linear map of the sensor's own window.
        integrator: solver and its tolerances.
        detach_initial: see `NodeODE`.

    Raises:
        ValueError: for sizes below 1 or that do not divide, or an unknown order.

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
        """Return the steps of all pieces.

        Args:
            x: features of the window.
            graph: A + M, one for all pieces or one for each.
            left: weights w3 of the temporal attention, whose state has one step.
            right: weights w4.

        Raises:
            ValueError: for another shape.
        """
        check_shape("x", x, "B N T C", None, self.num_nodes, self.steps, self.channels)
        summaries = self.attention(x.flatten(2)).unflatten(-1, (self.pieces, self.channels))
        states = self.ode(summaries, graph, left, right)
        return torch.stack(states, 3 if self.order == "window" else 2).flatten(2, 3)
