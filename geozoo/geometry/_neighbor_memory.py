"""Whether a neighbour list fits into memory, estimated before it is built."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from geozoo.geometry._neighbor_backends import Search

#: Peak bytes per pair of a search, and per pair when all pairs are tested.
BYTES_PER_PAIR, BYTES_PER_TESTED_PAIR = 200, 100
#: Needs below this are not compared with the free memory.
_SMALL = 256 << 20
#: Odd factors of a hash of integers.
_FACTORS = (0x1F123BB5159A55E5, 0x9E3779B97F4A7C15 - 2**64)


def check_search_fits(search: Search) -> None:
    """Refuse a search whose pairs certainly do not fit into the free memory.

    The estimate is that of uniform density, or what dense spots alone contain if that is more: it
    is too low for other densities, never much too high.

    Raises:
        MemoryError: If more memory is needed than is available.
    """
    num_atoms, device = len(search.batch), search.batch.device
    pairs = _pairs_of_uniform_density(search)
    if largest_number_of_pairs(search.counts) * BYTES_PER_PAIR > (_free_bytes(device) or 0):
        pairs = max(pairs, _pairs_in_dense_spots(search))
    _check_fits(num_atoms, f"have about {pairs:.2g} pairs", pairs * BYTES_PER_PAIR, device)


def check_test_fits(total: int, num_atoms: int, device: torch.device) -> None:
    """Refuse to test more pairs than fit into the free memory.

    Args:
        total: number of pairs to test.
        num_atoms: number of atoms.
        device: where they are tested.

    Raises:
        MemoryError: If more memory is needed than is available.
    """
    _check_fits(num_atoms, f"test {total:.2g} pairs", total * BYTES_PER_TESTED_PAIR, device)


def largest_number_of_pairs(counts: Tensor) -> int:
    """Number of unordered pairs of different atoms in the same graph."""
    return int((counts * (counts - 1) // 2).sum())


def _check_fits(num_atoms: int, what: str, needed: float, device: torch.device) -> None:
    free = _free_bytes(device) if needed > _SMALL else None
    if free is not None and needed > free:
        raise MemoryError(
            f"the neighbour list of {num_atoms} atoms would {what} and need "
            f"{needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are available: use a "
            "smaller radius, smaller systems or fewer of them at a time"
        )


def _pairs_of_uniform_density(search: Search) -> float:
    cells, counts = search.cells, search.counts.double()
    low, high = search.spans
    share = (2 * search.radius / (high - low)).clamp(max=1)
    wide = share < 1
    if cells is not None:
        # Along a periodic direction the images of an atom count as well.
        share = torch.where(cells.periodic, 2 * search.radius, share)
        share[:, 0] /= torch.linalg.det(cells.vectors).abs()
        wide |= cells.periodic
    # Parts of the cube around an atom that the ball, or in flat graphs the disc, fills.
    filled = share.new_tensor([1.0, 1.0, math.pi / 4, math.pi / 6])[wide.sum(1).clamp(max=3)]
    return float((counts.square() / 2 * share.prod(1) * filled).sum())


def _pairs_in_dense_spots(search: Search) -> float:
    """Pairs of atoms in the same cube whose diagonal is the cutoff: certainly close."""
    pos = search.atoms.pos
    cubes = (pos * (math.sqrt(pos.shape[1]) / search.radius)).floor()
    hashed = search.batch * _FACTORS[0]  # wraps around; equal hashes of other cubes are rare
    for axis in range(pos.shape[1]):
        hashed = hashed * _FACTORS[1] + cubes[:, axis].clamp(-(2.0**60), 2.0**60).long()
    inhabitants = hashed.unique(return_counts=True)[1]
    return largest_number_of_pairs(inhabitants)


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in text.splitlines())
    return 1024 * int(values["MemAvailable"].split()[0]) if "MemAvailable" in values else None
