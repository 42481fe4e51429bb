"""Reduce rows that share an index, with correct first and second derivatives."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

Reduce = Literal["sum", "mean", "max", "min"]
_HALVES = (torch.float16, torch.bfloat16)
_REDUCE = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin"}


def scatter(
    src: Tensor,
    index: Int[Tensor, " E"],
    dim_size: int,
    reduce: Reduce = "sum",
) -> Tensor:
    r"""Reduce the rows of ``src`` that share an entry of ``index``.

    .. math:: \mathrm{out}_i = \bigoplus_{e : \mathrm{index}_e = i} \mathrm{src}_e

    Rows of the result without any value are 0. Only native torch operations are used: the segment
    operations of torch-scatter give silently wrong second derivatives (rusty1s/pytorch_scatter#299)
    and would corrupt training on forces.

    Args:
        src: values ``[E, ...]``.
        index: target row of each value, ``0 <= index < dim_size``.
        dim_size: number of rows of the result.
        reduce: ``"sum"``, ``"mean"``, ``"max"`` or ``"min"``.

    Returns:
        ``[dim_size, ...]`` in the dtype of ``src``; a sum in half precision is rounded once, at the
        end.

    Raises:
        ValueError: If ``reduce`` is unknown, or the lengths of ``src`` and ``index`` differ.

    >>> scatter(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 0, 2]), 3)
    tensor([3., 0., 3.])
    """
    if reduce not in _REDUCE:
        raise ValueError(f"reduce must be one of {sorted(_REDUCE)}, got {reduce!r}")
    if index.dim() != 1 or src.shape[0] != index.shape[0]:
        raise ValueError(
            f"index must have one entry per row of src ({src.shape[0]}), got {tuple(index.shape)}"
        )
    if reduce == "sum" and src.dim() == 1 and src.dtype in _HALVES:
        # On a CPU torch rounds one-dimensional sums after every term: bfloat16 counts stop at 256.
        return scatter(src.float(), index, dim_size).to(src.dtype)
    out = src.new_zeros((dim_size, *src.shape[1:]))
    if reduce == "sum":
        return out.index_add(0, index, src)
    rows = index.reshape(-1, *([1] * (src.dim() - 1))).expand_as(src)
    return out.scatter_reduce(0, rows, src, _REDUCE[reduce], include_self=False)
