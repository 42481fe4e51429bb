"""Parts that the builders of graphs share: edge vectors, checks, all pairs of a batch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.ops import offsets, ragged_arange


def edge_vectors(
    pos: Float[Tensor, "N dim"],
    sender: Int[Tensor, " E"],
    receiver: Int[Tensor, " E"],
    shift: Float[Tensor, "E dim"] | None = None,
) -> Float[Tensor, "E dim"]:
    r"""Return the edge vectors, from the receiver to the sender of each edge.

    .. math:: r_{ij} = p_j + s_{ij} - p_i

    for the edge j -> i. The library computes edge vectors only here.

    Args:
        pos: positions.
        sender: node j of each edge.
        receiver: node i of each edge.
        shift: added to the sender's position, such as the lattice translation of its periodic
            image, in the unit of ``pos``; None: no shift.

    Raises:
        ValueError: If ``shift`` has another shape.

    >>> edge_vectors(torch.tensor([[1.0], [4.0]]), torch.tensor([1]), torch.tensor([0]))
    tensor([[3.]])
    """
    vectors = pos.index_select(0, sender) - pos.index_select(0, receiver)
    if shift is None:
        return vectors
    if shift.shape != vectors.shape:
        raise ValueError(
            f"shift must have shape (E={vectors.shape[0]}, dim={vectors.shape[1]}), got "
            f"{tuple(shift.shape)}"
        )
    return vectors + shift


def graph_sizes(batch: Tensor, num_graphs: int | None, num_pairs: int | None = None) -> Tensor:
    if num_pairs is not None and num_graphs is not None:  # avoids synchronising with the device
        return batch.new_zeros(num_graphs).index_add(0, batch, torch.ones_like(batch))
    if batch.numel() and bool((batch[1:] < batch[:-1]).any()):
        raise ValueError("batch must be sorted: all nodes of a graph one after the other")
    return torch.bincount(batch, minlength=num_graphs or 0)


def check_finite(pos: Tensor) -> None:
    # Comparisons with NaN are false: the node would silently lose its edges.
    if not bool(torch.isfinite(pos.detach()).all()):
        raise ValueError("pos must be finite, got NaN or infinite values")


def complete_pairs(
    batch: Int[Tensor, " N"], num_graphs: int | None = None, *, num_pairs: int | None = None
) -> Int[Tensor, "2 P"]:
    """Return every pair of different nodes in the same graph once, the smaller index first.

    Args:
        batch: graph of each node, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.
        num_pairs: number P of pairs, if known (`geozoo.data.GraphBatch` stores it): together with
            ``num_graphs`` it avoids synchronising with the device, and ``batch`` is not checked.

    Raises:
        ValueError: If ``batch`` is not sorted.
    """
    counts = graph_sizes(batch, num_graphs, num_pairs)
    ends = offsets(counts)[1:][batch]
    first = torch.arange(batch.numel(), device=batch.device)
    later = ends - first - 1
    return torch.stack([
        first.repeat_interleave(later, output_size=num_pairs),
        ragged_arange(first + 1, later, total=num_pairs),
    ])  # fmt: skip
