"""Scales of windows of trajectories, and the more accurate of both trivial predictions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from geozoo.data.store import GraphStore
from geozoo.data.trajectories.frame_windows import WindowRules


def window_statistics(
    store: GraphStore, train: Tensor, rules: WindowRules, *, normalize: bool
) -> dict[str, Any]:
    """Statistics of the training windows for `geozoo.tasks.Dynamics`.

    Args:
        store: all windows.
        train: indices of the training windows.
        rules: the rules of windows.
        normalize: whether to compute scales.

    Returns:
        ``time`` from input to target; and with ``normalize`` ``pos_scale`` (root mean square
        distance of the points from their mean), ``vec_scale`` and ``x_scale`` (root mean squares
        of each input), ``drift`` (the time by which positions are continued with their velocity
        before the network corrects them: ``time``, or 0 if unchanged positions are closer to the
        target), ``change_scale`` and, if velocities are predicted, ``vel_change_scale`` (root mean
        square components of what the network predicts).
    """
    found: dict[str, Any] = {"time": rules.time}
    if not normalize:
        return found
    batch = store.gather(train)
    pos, y = batch.pos.double(), batch.y.double()
    vec, x = batch.vec.double(), batch.x.double()
    still = y - pos
    moving = still - rules.time * vec[:, 0]
    is_moving = _size(moving) < _size(still)
    change = _size(moving if is_moving else still)
    spread = math.sqrt(float(pos.square().sum(1).mean()))
    lengths = vec.square().sum(2).mean(0).sqrt()
    speed = float(lengths[: rules.history].square().mean().sqrt())
    found |= {
        "pos_scale": spread or change or 1.0,
        "vec_scale": [speed or 1.0] * rules.history + [1.0] * (rules.up is not None),
        "x_scale": [value or 1.0 for value in x.square().mean(0).sqrt().tolist()],
        "drift": rules.time if is_moving else 0.0,
        "change_scale": change or 1.0,
    }
    if "vel" in rules.targets:
        found["vel_change_scale"] = _size(batch.y_vel.double() - vec[:, 0]) or 1.0
    return found


def _size(values: Tensor) -> float:
    return float(torch.sqrt(values.square().mean()))
