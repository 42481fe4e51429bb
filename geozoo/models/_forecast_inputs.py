"""The checks that the forecasting models share."""

from __future__ import annotations

import torch
from torch import Tensor


def check_adjacency(name: str, adjacency: Tensor) -> int:
    """Check an adjacency and return the number of sensors.

    Raises:
        TypeError: for anything but a tensor of floating-point numbers.
        ValueError: for an adjacency that is not square and finite.
    """
    if not isinstance(adjacency, Tensor) or not adjacency.is_floating_point():
        got = adjacency.dtype if isinstance(adjacency, Tensor) else type(adjacency).__name__
        raise TypeError(f"{name} must be a tensor of floating-point numbers, got {got}")
    if adjacency.dim() != 2 or adjacency.shape[0] != adjacency.shape[1] or not len(adjacency):
        raise ValueError(f"{name} must have shape (N, N), got {tuple(adjacency.shape)}")
    bad = int((~torch.isfinite(adjacency)).sum())
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} entries that are not")
    return len(adjacency)


def check_adjacencies(spatial: Tensor, semantic: Tensor) -> int:
    """Check both adjacencies of a forecaster and return the number of sensors.

    Raises:
        TypeError: see `check_adjacency`.
        ValueError: see `check_adjacency`; or for two that are not of one size.
    """
    check_adjacency("spatial_adjacency", spatial)
    check_adjacency("semantic_adjacency", semantic)
    if spatial.shape != semantic.shape:
        raise ValueError(
            "semantic_adjacency must have the shape of spatial_adjacency, "
            f"{tuple(spatial.shape)}, got {tuple(semantic.shape)}"
        )
    return len(spatial)


def check_windows(x: Tensor, input_steps: int, num_nodes: int, in_channels: int) -> None:
    """Check the shape of a batch of windows.

    Raises:
        ValueError: for another one.
    """
    if x.dim() != 4 or x.shape[1:] != (input_steps, num_nodes, in_channels):
        raise ValueError(
            f"x must have shape (B, T={input_steps}, N={num_nodes}, F={in_channels}), got "
            f"{tuple(x.shape)}"
        )


def clock_of(x: Tensor, time: Tensor | None) -> Tensor:
    """Slot of the day and day of the week ``[B, T, 2]`` of the steps of windows ``[B, T, ...]``.

    Raises:
        ValueError: when the time is missing, or of another shape.
    """
    if time is None:
        raise ValueError("time must be given to a model that reads the clock (use_time)")
    # `len` would fix the number of windows of a program that is exported with any.
    steps = x.shape[1]
    if (
        time.dim() != 3
        or time.shape[0] != x.shape[0]
        or time.shape[1] < steps
        or time.shape[2] != 2
    ):
        raise ValueError(
            f"time must have shape (B={len(x)}, T={steps} or more, 2), slot of the day and "
            f"day of the week; got {tuple(time.shape)}"
        )
    return time[:, :steps]


def with_clock(x: Tensor, time: Tensor | None, steps_per_day: int) -> Tensor:
    """Windows ``[B, T, N, F]`` with the time of the day, 0 to 1, as one more feature.

    Raises:
        ValueError: when the time is missing, or of another shape.
    """
    clock = clock_of(x, time)[..., 0].to(x) / steps_per_day
    return torch.cat([x, clock[:, :, None, None].expand(*x.shape[:3], 1)], -1)
