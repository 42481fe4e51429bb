"""Propagation of features over a sensor graph."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.nn.graph._sparse import SparseProduct, sparse_graph


def propagate(graph: Tensor, h: Tensor) -> Tensor:
    """Sum ``h [B, N, ..., C]`` over the neighbours of each sensor.

    A constant graph with few edges is multiplied as a sparse matrix, see `sparse_graph`.

    Args:
        graph: ``[N, N]``; or, for T groups of steps, ``[G, N, N]`` and ``h [B, N, T, C]``.
        h: features, with sensors on the second axis.
    """
    if graph.dim() == 2:
        sparse = sparse_graph(graph, h)
        if sparse is not None:
            return SparseProduct.apply(sparse, h)
        # In this form, neither the forward nor the backward product copies the features.
        return (graph.expand(h.shape[0], *graph.shape) @ h.flatten(2)).view_as(h)
    grouped = h.unflatten(2, (len(graph), -1))
    return torch.einsum("gij,bjgsc->bigsc", graph, grouped).flatten(2, 3)


def add_propagated_back(graph: Tensor, grad: Tensor, total: Tensor) -> Tensor:
    """Add the gradient of the features ``[N, F]`` that `propagate` was given to ``total``."""
    sparse = sparse_graph(graph, grad)
    return total.addmm_(graph.mT if sparse is None else sparse.back, grad)
