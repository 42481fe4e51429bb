"""Scales between the units of trajectories and the numbers that a network reads and predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class MotionScales(nn.Module):
    r"""Normalised inputs, and motion from normalised outputs.

    With the network's output vectors :math:`v` and :math:`w`, the scales :math:`s`, and the drift
    time :math:`d` (see `geozoo.data.Trajectories`),

    .. math:: \hat x(t') = x(t) + d\,\dot x(t) + s_x v, \qquad
        \hat{\dot x}(t') = \dot x(t) + s_v w.

    Args:
        statistics: statistics of the data; without scales, nothing is scaled and :math:`d = 0`.
    """

    vec_scale: Tensor
    x_scale: Tensor

    def __init__(self, statistics: Mapping[str, Any]) -> None:
        super().__init__()
        self.pos_scale = float(statistics.get("pos_scale", 1.0))
        self.drift = float(statistics.get("drift", 0.0))
        self.change_scale = float(statistics.get("change_scale", 1.0))
        self.vel_change_scale = float(statistics.get("vel_change_scale", 1.0))
        self.is_scaled = "pos_scale" in statistics
        for name in ("vec_scale", "x_scale"):
            value = torch.tensor(statistics.get(name, [1.0]), dtype=torch.float32)
            self.register_buffer(name, value, persistent=False)

    def inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The network's keyword arguments, divided by their scales.

        Args:
            inputs: the arguments in the units of the data.
        """
        if not self.is_scaled:
            return dict(inputs)
        pos, x, vec = inputs["pos"], inputs["x"], inputs["vec"]
        scaled = {"pos": pos / self.pos_scale}
        if x is not None:
            scaled["x"] = x / self.x_scale.to(x.dtype)
        if vec is not None:
            scaled["vec"] = vec / self.vec_scale.to(vec.dtype)[:, None]
        return {**inputs, **scaled}

    def position(self, pos: Tensor, vec: Tensor | None, vector: Tensor) -> Tensor:
        """The predicted positions ``[N, dim]``.

        Args:
            pos: positions at the input frame.
            vec: input vectors ``[N, V, dim]``, the velocity first.
            vector: the network's first output vector ``[N, dim]``.
        """
        if not self.is_scaled:
            return pos + vector.to(pos.dtype)
        moved = pos + self.change_scale * vector.to(pos.dtype)
        return moved if vec is None or not self.drift else moved + self.drift * vec[:, 0]

    def velocity(self, vec: Tensor, vector: Tensor) -> Tensor:
        """The predicted velocities ``[N, dim]``.

        Args:
            vec: input vectors ``[N, V, dim]``, the velocity first.
            vector: the network's second output vector ``[N, dim]``.
        """
        return vec[:, 0] + self.vel_change_scale * vector.to(vec.dtype)
