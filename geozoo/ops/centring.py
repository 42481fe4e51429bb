"""Positions relative to the mean of their graph."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from geozoo.ops.scatter import scatter


def centred(
    pos: Float[Tensor, "N dim"], batch: Int[Tensor, " N"], num_graphs: int
) -> Float[Tensor, "N dim"]:
    """Return positions relative to the mean position of their graph.

    Differentiable any number of times.

    Args:
        pos: positions.
        batch: graph of each node.
        num_graphs: number of graphs.

    >>> import torch
    >>> centred(torch.tensor([[1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1]), 2)
    tensor([[-1.],
            [ 1.],
            [ 0.]])
    """
    count = scatter(pos.new_ones(pos.shape[0], 1), batch, num_graphs).clamp_min(1)
    return pos - (scatter(pos, batch, num_graphs) / count).index_select(0, batch)
