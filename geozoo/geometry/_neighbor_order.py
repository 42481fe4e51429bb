"""The canonical form of a neighbour list: each relation oriented one way, and sorted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from geozoo.geometry._neighbor_backends import Candidates


class Ordered(NamedTuple):
    """Canonical pairs.

    Attributes:
        pairs: ``[2, P]`` sender and receiver, sorted by sender, receiver and image.
        image: ``[P, 3]`` lattice vectors added to the wrapped position of the sender, or None.
        doubtful: positions of the pairs not certainly closer than the cutoff.
    """

    pairs: Tensor
    image: Tensor | None
    doubtful: Tensor


def canonical(found: Candidates, num_atoms: int, certain: float) -> Ordered:
    """Orient each pair from the smaller index to the larger one, and sort.

    Args:
        found: pairs in any order and orientation.
        num_atoms: number of atoms.
        certain: pairs closer than this are not doubtful.
    """
    swapped = found.first > found.second
    sender = torch.where(swapped, found.second, found.first)
    receiver = torch.where(swapped, found.first, found.second)
    columns = [sender, receiver]
    if found.image is not None:
        columns += _oriented(found.image, swapped, sender == receiver).unbind(1)
    columns.append((found.squared >= max(certain, 0.0) ** 2).long())
    *indices, doubtful = _lexically_sorted(columns, num_atoms)
    image = torch.stack(indices[2:], 1) if found.image is not None else None
    return Ordered(torch.stack(indices[:2]), image, doubtful.nonzero().squeeze(1))


def _oriented(image: Tensor, swapped: Tensor, is_own: Tensor) -> Tensor:
    """Images of the senders, given those of the second atoms."""
    sign = swapped.long() * 2 - 1
    itself = is_own.nonzero().squeeze(1)
    if len(itself):  # an atom and its own image: the first nonzero entry becomes positive
        own = image[itself]
        sign[itself] = own.gather(1, (own != 0).long().argmax(1, keepdim=True))[:, 0].sign()
    return image * sign[:, None]


def _lexically_sorted(columns: list[Tensor], num_atoms: int) -> list[Tensor]:
    """Sort rows of integers, given as columns of which the first matters most.

    Rows that fit are packed into one integer each, which sorts several times faster.
    """
    if not len(columns[0]):
        return columns
    low, high = [0, 0], [num_atoms - 1] * 2
    if len(columns) > 2:
        ends = [torch.stack(column.aminmax()) for column in columns[2:]]
        bottoms, tops = torch.stack(ends, 1).tolist()
        low, high = low + bottoms, high + tops
    bits = [(top - bottom).bit_length() for bottom, top in zip(low, high, strict=True)]
    if sum(bits) > 62:
        order = torch.arange(len(columns[0]), device=columns[0].device)
        for column in reversed(columns):
            order = order[column[order].argsort(stable=True)]
        return [column[order] for column in columns]
    key = torch.zeros_like(columns[0])
    for column, bottom, width in zip(columns, low, bits, strict=True):
        if width:
            key = (key << width).add_(column).sub_(bottom)
    key = _sorted(key)
    found = []
    for bottom, width in zip(reversed(low), reversed(bits), strict=True):
        found.append((key & ((1 << width) - 1)).add_(bottom))
        key = key >> width
    return found[::-1]


def _sorted(key: Tensor) -> Tensor:
    if key.device.type == "cpu":
        return torch.from_numpy(np.sort(key.numpy()))  # vectorised; torch sorts an order as well
    return key.sort().values
