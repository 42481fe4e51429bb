"""Input checks and time features shared by the forecasting models."""

from __future__ import annotations

import torch
from torch import Tensor


def check_adjacency(name: str, adjacency: Tensor) -> int:
    """Check an adjacency and return the number of sensors.

    Raises:
        TypeError: If ``adjacency`` is not a floating-point tensor.
        ValueError: If ``adjacency`` is not square or not finite.
    """
    if not isinstance(adjacency, Tensor) or not adjacency.is_floating_point():
        got = adjacency.dtype if isinstance(adjacency, Tensor) else type(adjacency).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {got}")
    if adjacency.dim() != 2 or adjacency.shape[0] != adjacency.shape[1] or not len(adjacency):
        raise ValueError(f"{name} must have shape (N, N), got {tuple(adjacency.shape)}")
    bad = int((~torch.isfinite(adjacency)).sum())
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} non-finite entries")
    return len(adjacency)


def check_adjacencies(spatial: Tensor, semantic: Tensor) -> int:
    """Check both adjacencies of a forecaster and return the number of sensors.

    Raises:
        TypeError: See `check_adjacency`.
        ValueError: See `check_adjacency`; or if the adjacencies have different shapes.
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
        ValueError: If ``x`` has the wrong shape.
    """
    if x.dim() != 4 or x.shape[1:] != (input_steps, num_nodes, in_channels):
        raise ValueError(
            f"x must have shape (B, T={input_steps}, N={num_nodes}, F={in_channels}), got "
            f"{tuple(x.shape)}"
        )


def clock_of(x: Tensor, time: Tensor | None) -> Tensor:
    """Return time-of-day slot and day of the week ``[B, T, 2]`` of the lookback window.

    Raises:
        ValueError: If ``time`` is missing or has the wrong shape.
    """
    if time is None:
        raise ValueError("time must be given: the model uses time features (use_time), got None")
    # `len` would fix the batch size of an exported program.
    steps = x.shape[1]
    if (
        time.dim() != 3
        or time.shape[0] != x.shape[0]
        or time.shape[1] < steps
        or time.shape[2] != 2
    ):
        raise ValueError(
            f"time must have shape (B={len(x)}, T={steps} or more, 2), with time-of-day slot and "
            f"day of the week, got {tuple(time.shape)}"
        )
    return time[:, :steps]


def with_clock(x: Tensor, time: Tensor | None, steps_per_day: int) -> Tensor:
    """Append the time of day, in [0, 1), as a feature to windows ``[B, T, N, F]``.

    Raises:
        ValueError: If ``time`` is missing or has the wrong shape.
    """
    clock = clock_of(x, time)[..., 0].to(x) / steps_per_day
    return torch.cat([x, clock[:, :, None, None].expand(*x.shape[:3], 1)], -1)
