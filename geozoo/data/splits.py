"""Dataset splits and their hashes."""

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
    """Split a seeded random permutation.

    Args:
        num_graphs: number of graphs.
        sizes: graphs per part, as integers, or as fractions that sum to at most 1. Parts are taken
            in this order; fractions are rounded down, and if they sum to 1 the last part receives
            the remainder.
        seed: seed of :func:`numpy.random.default_rng`.

    Raises:
        ValueError: If sizes are negative, of mixed type, too large, or leave a part empty.

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
    """The indices ``offset, offset + step, ...``.

    Raises:
        ValueError: If the step is below 1 or the offset is outside ``0..step - 1``.
    """
    if step < 1 or not 0 <= offset < step:
        raise ValueError(f"step must be at least 1 and 0 <= offset < step, got {step}, {offset}")
    return torch.arange(offset, num_graphs, step)


def read_index_file(path: str | Path) -> Int[Tensor, " part"]:
    """Read indices from a text file, one integer per line.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty or a line is not an integer.
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
    """Check that all indices are within the dataset and that the parts are disjoint.

    Raises:
        ValueError: If a part is empty, or an index is out of range, occurs twice in a part, or
            belongs to two parts.
    """
    owner = np.full(num_graphs, -1)
    names = list(split)
    for number, (name, part) in enumerate(split.items()):
        index = part.cpu().numpy()
        if len(index) == 0:
            raise ValueError(f"split: the part {name!r} is empty")
        if index.min() < 0 or index.max() >= num_graphs:
            raise ValueError(
                f"split: the part {name!r} has indices from {index.min()} to {index.max()}; the "
                f"dataset has {num_graphs} graphs (0..{num_graphs - 1})"
            )
        if len(np.unique(index)) != len(index):
            raise ValueError(f"split: the part {name!r} contains an index twice")
        previous = owner[index]
        if (previous >= 0).any():
            other = names[previous[previous >= 0][0]]
            raise ValueError(
                f"split: {int((previous >= 0).sum())} indices are both in {other!r} and in {name!r}"
            )
        owner[index] = number


def split_hash(split: Split) -> str:
    """Hash of a split, twelve hexadecimal digits: which graphs are in which part.

    The order within a part does not matter, since training shuffles and metrics are independent
    of it.
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
        raise ValueError(f"sizes {dict(sizes)} exceed the {num_graphs} available graphs")
    counts = {name: int(v if whole else v * num_graphs + 1e-9) for name, v in sizes.items()}
    if not whole and sum(values) > 1.0 - 1e-9:
        counts[list(counts)[-1]] += num_graphs - sum(counts.values())
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        raise ValueError(f"sizes {dict(sizes)} leave {empty} empty for {num_graphs} graphs")
    return counts
