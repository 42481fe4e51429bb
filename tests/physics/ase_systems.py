"""ASE structures as systems of physical terms."""

from __future__ import annotations

import torch

from geozoo.physics import AtomicSystem


def system(*structures) -> AtomicSystem:
    """A batch of ASE structures."""
    sizes = torch.tensor([len(atoms) for atoms in structures])
    pos = torch.cat([torch.from_numpy(atoms.positions) for atoms in structures])
    numbers = torch.cat([torch.from_numpy(atoms.numbers) for atoms in structures])
    count = len(structures)
    batch = torch.repeat_interleave(torch.arange(count), sizes)
    cell = torch.stack([torch.from_numpy(atoms.cell.array) for atoms in structures])
    pbc = torch.stack([torch.from_numpy(atoms.pbc) for atoms in structures])
    return AtomicSystem(pos, numbers, batch, count, cell, pbc)
