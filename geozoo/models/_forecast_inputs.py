"""The checks that the forecasting models share."""

from __future__ import annotations

import torch
from torch import Tensor


def check_sizes(**sizes: int) -> None:
    """Check that every size is at least 1.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size!r}")


def check_adjacencies(spatial: Tensor, semantic: Tensor) -> int:
    """Check both adjacencies of a forecaster and return the number of sensors.

    Raises:
        TypeError: for other than tensors of floating-point numbers.
        ValueError: for adjacencies that are not square, finite and of one size.
    """
    for name, adjacency in (("spatial_adjacency", spatial), ("semantic_adjacency", semantic)):
        if not isinstance(adjacency, Tensor) or not adjacency.is_floating_point():
            got = adjacency.dtype if isinstance(adjacency, Tensor) else type(adjacency).__name__
            raise TypeError(f"{name} must be a tensor of floating-point numbers, got {got}")
        if adjacency.dim() != 2 or adjacency.shape[0] != adjacency.shape[1] or not len(adjacency):
            raise ValueError(f"{name} must have shape (N, N), got {tuple(adjacency.shape)}")
        bad = int((~torch.isfinite(adjacency)).sum())
        if bad:
            raise ValueError(f"{name} must be finite, got {bad} entries that are not")
    if spatial.shape != semantic.shape:
        raise ValueError(
            "semantic_adjacency must have the shape of spatial_adjacency, "
            f"{tuple(spatial.shape)}, got {tuple(semantic.shape)}"
        )
    return len(spatial)
