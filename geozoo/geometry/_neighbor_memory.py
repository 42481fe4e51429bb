"""Whether a neighbour list fits into memory, estimated before it is built."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from geozoo.geometry._neighbor_backends import Search

#: Peak bytes per pair of a search, and per pair when all pairs are tested.
BYTES_PER_PAIR, BYTES_PER_TESTED_PAIR = 160, 120
#: Needs below this are not compared with the free memory.
_SMALL = 256 << 20


def check_pairs_fit(pairs: float, num_atoms: int, device: torch.device, *, tested: bool) -> None:
    """Refuse a neighbour list that does not fit into the memory that is free.

    Args:
        pairs: number of pairs.
        num_atoms: number of atoms, for the message.
        device: where it is built.
        tested: whether ``pairs`` counts all pairs, of which close ones are kept.

    Raises:
        MemoryError: If more memory is needed than is available.
    """
    needed = pairs * (BYTES_PER_TESTED_PAIR if tested else BYTES_PER_PAIR)
    if needed < _SMALL:
        return
    free = _free_bytes(device)
    if free is not None and needed > free:
        raise MemoryError(
            f"the neighbour list of {num_atoms} atoms would "
            f"{'test' if tested else 'have'} about {pairs:.2g} pairs and need "
            f"{needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are available: use a "
            "smaller radius, a smaller system or fewer graphs at a time"
        )


def expected_pairs(search: Search) -> float:
    """Estimate the number of pairs: of uniform density, or what dense spots alone contain."""
    cells, counts = search.cells, search.counts.double()
    fractional = search.atoms.fractional
    num_graphs, dim = len(counts), fractional.shape[1]
    index = search.batch[:, None].expand(-1, dim)
    low, high = (
        fractional.new_zeros(num_graphs, dim).scatter_reduce(
            0, index, fractional, way, include_self=False
        )
        for way in ("amin", "amax")
    )
    share = (2 * search.radius / (high - low)).clamp(max=1)
    if cells is not None:
        # Along a periodic direction the images of an atom count as well.
        share = torch.where(cells.periodic, 2 * search.radius, share)
        share[:, 0] /= torch.linalg.det(cells.vectors).abs()
    wide = (share < 1) if cells is None else (share < 1) | cells.periodic
    round_off = fractional.new_tensor([1.0, 1.0, math.pi / 4, math.pi / 6])
    uniform = counts.square() / 2 * share.prod(1) * round_off[wide.sum(1).clamp(max=3)]
    return max(float(uniform.sum()), _pairs_in_dense_spots(search))


def _pairs_in_dense_spots(search: Search) -> float:
    """Pairs of atoms in the same cube whose diagonal is the cutoff: certainly close."""
    pos = search.atoms.pos
    cubes = (pos * (math.sqrt(pos.shape[1]) / search.radius)).floor()
    _, inhabitants = torch.cat([search.batch[:, None].double(), cubes], 1).unique(
        dim=0, return_counts=True
    )
    return float((inhabitants.double() * (inhabitants - 1)).sum()) / 2


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in text.splitlines())
    return 1024 * int(values["MemAvailable"].split()[0]) if "MemAvailable" in values else None


def largest_number_of_pairs(counts: Tensor) -> int:
    """Number of unordered pairs of different atoms in the same graph."""
    return int((counts * (counts - 1) // 2).sum())
