"""The graphs of a test whose prediction is furthest from the truth."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


class WorstCases:
    """The few graphs or windows with the largest error, worst first.

    Args:
        count: how many are kept.

    Attributes:
        index: their positions in the store of the data.
        error: their errors.

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
        """Take a batch; graphs without a truth (NaN) are left out."""
        known = ~error.isnan()
        error = torch.cat([self.error, error[known].double().cpu()])
        index = torch.cat([self.index, index[known].cpu()])
        self.error, order = error.topk(min(self.count, len(error)))
        self.index = index[order]


def error_of_graphs(error: Tensor, level: str, batch: Any) -> Tensor:
    """The mean of an absolute error over every graph ``[G]``; NaN: no truth.

    Args:
        error: a row for each graph or node.
        level: ``"graph"`` or ``"node"``, what a row is of.
        batch: the graphs.
    """
    if level == "graph":
        return error.reshape(batch.num_graphs, -1).nanmean(1)
    by_node = error.reshape(len(batch.batch), -1).double().mean(1)
    total = by_node.new_zeros(batch.num_graphs).index_add(0, batch.batch, by_node)
    return total / batch.ptr.diff()
