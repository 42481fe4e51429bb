"""Positions relative to the mean of their graph."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo import ops


def centred(pos: Float[Tensor, "N dim"], num_nodes: Int[Tensor, " G"]) -> Float[Tensor, "N dim"]:
    """Return positions relative to the mean of each graph: far away, float32 is too coarse.

    Args:
        pos: positions of the nodes of all graphs, one graph after the other, in double precision.
        num_nodes: number of nodes of each graph.

    >>> centred(torch.tensor([[1.0], [3.0], [7.0]]), torch.tensor([2, 1]))
    tensor([[-1.],
            [ 1.],
            [ 0.]])
    """
    count = len(num_nodes)
    owner = torch.repeat_interleave(torch.arange(count), num_nodes, output_size=len(pos))
    return ops.centred(pos, owner, count)
