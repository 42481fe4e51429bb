"""Index arithmetic for ragged data: many short ranges in one flat tensor."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor


def offsets(lengths: Int[Tensor, " G"]) -> Int[Tensor, " G+1"]:
    """Return the start of each range in the flat tensor, and the end of the last one.

    >>> offsets(torch.tensor([2, 0, 3]))
    tensor([0, 2, 2, 5])
    """
    return torch.nn.functional.pad(lengths.cumsum(0), (1, 0))


def ragged_arange(
    starts: Int[Tensor, " G"], lengths: Int[Tensor, " G"], *, total: int | None = None
) -> Int[Tensor, " total"]:
    """Return ``start, start + 1, ..., start + length - 1`` for every range, concatenated.

    Args:
        starts: first index of each range.
        lengths: number of indices of each range, at least 0.
        total: sum of the lengths, if known; avoids a synchronisation with the device.

    Returns:
        The concatenated ranges, int64.

    >>> ragged_arange(torch.tensor([10, 0]), torch.tensor([2, 3]))
    tensor([10, 11,  0,  1,  2])
    """
    shift = starts - (lengths.cumsum(0) - lengths)
    repeated = torch.repeat_interleave(shift, lengths, output_size=total)
    return repeated + torch.arange(repeated.numel(), device=starts.device)
