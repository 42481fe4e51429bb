"""Points of a batch of graphs of unequal size as dense blocks, one per graph."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from geozoo.ops import is_traced


class PointBlocks(NamedTuple):
    """Blocks ``[B, L]`` of the points of a batch, padded to the largest graph.

    Attributes:
        num_blocks: number B of blocks.
        nodes: ``[B L]`` node of each entry, 0 in the padding; None: no padding, the nodes in order.
        places: ``[N]`` entry of each node; None: no padding.
        mask: ``[B, 1, L]`` or ``[B, L, L]``, the senders that a receiver (second axis) sees; None:
            every receiver sees the whole block.
        counts: ``[B]`` number of points of each block.
    """

    num_blocks: int
    nodes: Int[Tensor, " BL"] | None
    places: Int[Tensor, " N"] | None
    mask: Bool[Tensor, "B R L"] | None
    counts: Int[Tensor, " B"]

    def stack(self, x: Tensor) -> Tensor:
        """Return features ``[N, ...]`` of nodes as blocks ``[B, L, ...]``."""
        if self.nodes is not None:
            x = x.index_select(0, self.nodes)
        return x.view(self.num_blocks, x.shape[0] // self.num_blocks, *x.shape[1:])

    def flatten(self, blocks: Tensor) -> Tensor:
        """Return blocks ``[B, L, ...]`` as features ``[N, ...]`` of nodes."""
        rows = blocks.flatten(0, 1)
        return rows if self.places is None else rows.index_select(0, self.places)


def point_blocks(
    batch: Int[Tensor, " N"], num_graphs: int, edges: Int[Tensor, "2 E"] | None = None
) -> PointBlocks:
    """Arrange the points of a batch in blocks.

    Sizes depend on the values of ``batch``, so call it outside a compiled region. Inside, all
    points form one block with a mask, which is correct but quadratic in the batch.

    Args:
        batch: graph of each node, sorted.
        num_graphs: number of graphs.
        edges: senders and receivers; every node sees only these senders and itself. None: all nodes
            of its graph.

    Raises:
        ValueError: If an edge leads from one graph to another.
    """
    total = batch.shape[0]
    if num_graphs <= 1:
        counts = torch.full((1,), total, device=batch.device)
        nothing = torch.zeros_like(batch)
        return PointBlocks(1, None, None, _seen(edges, nothing, nothing, 1, total), counts)
    if is_traced():
        same = (batch.unsqueeze(1) == batch)[None]
        nothing = torch.zeros_like(batch)
        seen = _seen(edges, nothing, nothing, 1, total)
        counts = torch.full((1,), total, device=batch.device)
        return PointBlocks(1, None, None, same if seen is None else seen & same, counts)
    counts = torch.bincount(batch, minlength=num_graphs)
    longest, least = int(counts.max()), int(counts.min())
    if edges is not None and not bool((batch[edges[0]] == batch[edges[1]]).all()):
        raise ValueError("edge_index must join nodes of the same graph, got an edge between graphs")
    starts = counts.cumsum(0) - counts
    rank = torch.arange(total, device=batch.device) - starts[batch]
    mask = _seen(edges, batch, rank, num_graphs, longest)
    if longest == least:
        return PointBlocks(num_graphs, None, None, mask, counts)
    places = batch * longest + rank
    nodes = torch.zeros(num_graphs * longest, dtype=torch.int64, device=batch.device)
    nodes[places] = torch.arange(total, device=batch.device)
    if mask is None:
        steps = torch.arange(longest, device=batch.device)
        # The first entry is always seen: a softmax over nothing would be NaN for empty graphs.
        mask = ((steps < counts.unsqueeze(1)) | (steps == 0)).unsqueeze(1)
    return PointBlocks(num_graphs, nodes, places, mask, counts)


def _seen(
    edges: Tensor | None, batch: Tensor, rank: Tensor, num_blocks: int, length: int
) -> Tensor | None:
    """Which senders each receiver sees, ``[B, L, L]``; every entry sees itself."""
    if edges is None:
        return None
    if num_blocks == 1:
        block, (sender, receiver) = torch.zeros_like(edges[0]), edges
    else:
        block, (sender, receiver) = batch[edges[0]], rank[edges]
    seen = torch.eye(length, dtype=torch.bool, device=edges.device).repeat(num_blocks, 1, 1)
    true = torch.ones((), dtype=torch.bool, device=edges.device)
    return seen.index_put((block, receiver, sender), true)
