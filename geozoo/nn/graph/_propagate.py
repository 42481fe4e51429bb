"""Propagation of features over a sensor graph."""

from __future__ import annotations

import torch
from torch import Tensor


def propagate(graph: Tensor, h: Tensor) -> Tensor:
    """Sum ``h [B, N, ..., C]`` over the neighbours of each sensor.

    Args:
        graph: ``[N, N]``; or, for T groups of steps, ``[G, N, N]`` and ``h [B, N, T, C]``.
        h: features, with sensors on the second axis.
    """
    if graph.dim() == 2:
        # In this form, neither the forward nor the backward product copies the features.
        return (graph.expand(h.shape[0], *graph.shape) @ h.flatten(2)).view_as(h)
    grouped = h.unflatten(2, (len(graph), -1))
    return torch.einsum("gij,bjgsc->bigsc", graph, grouped).flatten(2, 3)
