"""Batches of plain tensors with neighbour lists, for libraries that take them from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list
from torch import Tensor


class Listed(NamedTuple):
    """A batch of structures.

    Attributes:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in float32.
        batch: ``[N]``, the structure of each atom.
        receiver, sender: ``[E]``.
        shift: ``[E, 3]``, added to the sender's position.
    """

    numbers: Tensor
    pos: Tensor
    batch: Tensor
    receiver: Tensor
    sender: Tensor
    shift: Tensor


def listed(frames: Sequence[Atoms], radius: float) -> Listed:
    """All structures with the neighbours within a radius, sorted by receiver."""
    receivers, senders, shifts, start = [], [], [], 0
    for atoms in frames:
        receiver, sender, cells = neighbor_list("ijS", atoms, radius)
        receivers.append(receiver + start)
        senders.append(sender + start)
        shifts.append(cells @ atoms.cell.array)
        start += len(atoms)
    sizes = torch.tensor([len(atoms) for atoms in frames])
    return Listed(
        torch.from_numpy(np.concatenate([atoms.numbers for atoms in frames])),
        torch.from_numpy(np.concatenate([atoms.positions for atoms in frames])).float(),
        torch.arange(len(frames)).repeat_interleave(sizes),
        torch.from_numpy(np.concatenate(receivers)), torch.from_numpy(np.concatenate(senders)),
        torch.from_numpy(np.concatenate(shifts)).float(),
    )  # fmt: skip
