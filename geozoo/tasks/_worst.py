"""The graphs of a test with the largest prediction errors."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


class WorstCases:
    """The graphs or windows with the largest errors, in descending order.

    Args:
        count: number of graphs kept.

    Attributes:
        index: indices into the store ``[K]``.
        error: errors ``[K]``.

    >>> worst = WorstCases(2)
    >>> worst.add(torch.tensor([7, 8, 9]), torch.tensor([0.1, 3.0, 0.5]))
    >>> worst.index.tolist()
    [8, 9]
    """

    def __init__(self, count: int = 6) -> None:
        self.count = count
        self.index: Int[Tensor, " K"] = torch.zeros(0, dtype=torch.int64)
        self.error: Float[Tensor, " K"] = torch.zeros(0, dtype=torch.float64)

    def add(self, index: Int[Tensor, " B"], error: Float[Tensor, " B"]) -> None:
        """Add a batch; graphs without a target (NaN error) are ignored."""
        known = ~error.isnan()
        error = torch.cat([self.error, error[known].double().cpu()])
        index = torch.cat([self.index, index[known].cpu()])
        self.error, order = error.topk(min(self.count, len(error)))
        self.index = index[order]


def error_of_graphs(error: Tensor, level: str, batch: Any) -> Tensor:
    """The mean absolute error of each graph ``[G]``; NaN for a graph without a target.

    Args:
        error: absolute errors, one row per graph or node.
        level: ``"graph"`` or ``"node"``, the meaning of a row.
        batch: the graphs.
    """
    if level == "graph":
        return error.reshape(batch.num_graphs, -1).nanmean(1)
    by_node = error.reshape(len(batch.batch), -1).double().mean(1)
    total = by_node.new_zeros(batch.num_graphs).index_add(0, batch.batch, by_node)
    return total / batch.ptr.diff()
