"""Disjoint parts of a data set, and a hash that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

Split = Mapping[str, Int[Tensor, " part"]]


def random_split(
    num_graphs: int, sizes: Mapping[str, int | float], *, seed: int
) -> dict[str, Int[Tensor, " part"]]:
    """Cut a seeded permutation into parts.

    Args:
        num_graphs: number of graphs.
        sizes: graphs per part, as whole numbers, or as fractions that add up to at most 1. Parts
            are taken in this order; the fractions are rounded down, and when they add up to 1 the
            last part takes what rounding left.
        seed: seed of :func:`numpy.random.default_rng`.

    Raises:
        ValueError: for sizes that are negative, mixed, too large, or leave a part empty.

    >>> {name: len(part) for name, part in random_split(10, {"train": 8, "val": 2}, seed=0).items()}
    {'train': 8, 'val': 2}
    """
    counts = _counts(num_graphs, sizes)
    order = np.random.default_rng(seed).permutation(num_graphs)
    ends = np.cumsum(list(counts.values())).tolist()
    starts = [0, *ends[:-1]]
    return {
        name: torch.from_numpy(order[start:end].copy())
        for name, start, end in zip(counts, starts, ends, strict=True)
    }


def every_nth(num_graphs: int, step: int, *, offset: int = 0) -> Int[Tensor, " part"]:
    """The positions ``offset, offset + step, ...``.

    Raises:
        ValueError: for a step below 1 or an offset outside ``0..step - 1``.
    """
    if step < 1 or not 0 <= offset < step:
        raise ValueError(f"step must be at least 1 and 0 <= offset < step, got {step}, {offset}")
    return torch.arange(offset, num_graphs, step)


def read_index_file(path: str | Path) -> Int[Tensor, " part"]:
    """Read positions from a text file, one whole number per line.

    Raises:
        FileNotFoundError: when the file is not there.
        ValueError: for anything that is not a whole number, or an empty file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no index file {path}")
    try:
        values = [int(line) for line in path.read_text().split()]
    except ValueError as error:
        raise ValueError(f"path: {path} must hold one whole number per line: {error}") from None
    if not values:
        raise ValueError(f"path: the index file {path} is empty")
    return torch.tensor(values)


def check_split(split: Split, num_graphs: int) -> None:
    """Make sure that parts lie inside the data set and share no graph.

    Raises:
        ValueError: for an empty part, a position outside the data set, one that occurs twice in
            a part, or one that belongs to two parts.
    """
    owner = np.full(num_graphs, -1)
    names = list(split)
    for number, (name, part) in enumerate(split.items()):
        index = part.cpu().numpy()
        if len(index) == 0:
            raise ValueError(f"split: the part {name!r} is empty")
        if index.min() < 0 or index.max() >= num_graphs:
            raise ValueError(
                f"split: the part {name!r} holds positions from {index.min()} to {index.max()}; "
                f"the data set has {num_graphs} graphs (0..{num_graphs - 1})"
            )
        if len(np.unique(index)) != len(index):
            raise ValueError(f"split: the part {name!r} holds a position twice")
        taken = owner[index]
        if (taken >= 0).any():
            other = names[taken[taken >= 0][0]]
            raise ValueError(
                f"split: {int((taken >= 0).sum())} positions are both in {other!r} and in {name!r}"
            )
        owner[index] = number


def split_hash(split: Split) -> str:
    """Twelve hexadecimal digits that name a split: which graphs are in which part.

    The order within a part does not matter, since training shuffles and metrics do not depend
    on it.
    """
    digest = hashlib.sha256()
    for name in sorted(split):
        index = np.sort(split[name].cpu().numpy()).astype("<i8")
        digest.update(f"{name}:{len(index)};".encode() + index.tobytes())
    return digest.hexdigest()[:12]


def _counts(num_graphs: int, sizes: Mapping[str, int | float]) -> dict[str, int]:
    values: Sequence[int | float] = list(sizes.values())
    whole = all(isinstance(value, int) for value in values)
    if not values or not (whole or all(isinstance(value, float) for value in values)):
        raise ValueError(f"sizes must all be whole numbers or all be fractions, got {dict(sizes)}")
    if min(values) < 0:
        raise ValueError(f"sizes must not be negative, got {dict(sizes)}")
    limit = num_graphs if whole else 1.0 + 1e-9
    if sum(values) > limit:
        raise ValueError(f"sizes {dict(sizes)} are more than the {num_graphs} graphs there are")
    counts = {name: int(v if whole else v * num_graphs + 1e-9) for name, v in sizes.items()}
    if not whole and sum(values) > 1.0 - 1e-9:
        counts[list(counts)[-1]] += num_graphs - sum(counts.values())
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        raise ValueError(f"sizes {dict(sizes)} of {num_graphs} graphs leave {empty} empty")
    return counts
