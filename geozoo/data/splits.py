"""Dataset splits and their hashes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from geozoo.files.numpy_arrays import read_npz

_LOG = logging.getLogger(__name__)
#: The parts of a dataset.
PARTS = ("train", "val", "test")
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


def grouped_split(
    groups: Sequence[Hashable], sizes: Mapping[str, float], *, seed: int
) -> dict[str, Int[Tensor, " part"]]:
    """A random split in which every group is in one part; the log states the numbers.

    Groups are taken in a seeded random order. Each goes to the part that is furthest behind its
    share of the samples, so shares are approximate if groups are large.

    Args:
        groups: the group of each sample.
        sizes: shares of the parts, which sum to 1.
        seed: seed of :func:`numpy.random.default_rng`.

    Raises:
        ValueError: If a part would be empty.

    >>> split = grouped_split("aabbccdd", {"train": 0.5, "test": 0.5}, seed=0)
    >>> sorted(split["train"].tolist()), sorted(split["test"].tolist())
    ([2, 3, 4, 5], [0, 1, 6, 7])
    """
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    each, rng = list(rows.values()), np.random.default_rng(seed)
    names, share = list(sizes), np.array(list(sizes.values()))
    given, parts = np.zeros(len(names)), [list[int]() for _ in names]
    counts, placed = [0] * len(names), 0
    for index in rng.permutation(len(each)).tolist():
        placed += len(each[index])
        part = int(np.argmax(share * placed - given))
        parts[part] += each[index]
        given[part] += len(each[index])
        counts[part] += 1
    shown = ", ".join(
        f"{name} {len(part)} of {count} groups"
        for name, part, count in zip(names, parts, counts, strict=True)
    )
    if not all(parts):
        raise ValueError(
            f"the split by groups would leave a part empty: {shown}. There are {len(each)} groups, "
            f"the largest of {max(map(len, each), default=0)} samples"
        )
    _LOG.info("split by groups, none of which is in two parts: %s", shown)
    return {
        name: torch.from_numpy(rng.permutation(np.array(part, dtype=np.int64)))
        for name, part in zip(names, parts, strict=True)
    }


def check_groups(groups: Sequence[Hashable], splits: Split) -> None:
    """Check that no group is in two parts, such as in two files.

    Args:
        groups: the group of each sample.
        splits: indices of each part.

    Raises:
        ValueError: If one is; the message names it.
    """
    owner: dict[Hashable, str] = {}
    for name, part in splits.items():
        for group in {groups[row] for row in part.tolist()}:
            if owner.setdefault(group, name) != name:
                raise ValueError(
                    f"the group {group} is in the {owner[group]} and in the {name} split: groups "
                    "must not be divided. Remove it from a file, or do not set the key of groups"
                )


def with_fewer(
    splits: Split, num_train: int | None, *, seed: int, is_series: bool = False
) -> dict[str, Int[Tensor, " part"]]:
    """The splits with a part of the training samples; validation and test are unchanged.

    The parts of one seed are nested: a larger one contains every smaller one.

    Args:
        splits: indices of each split.
        num_train: number of training samples; None: all.
        seed: seed of the random order of which the first samples are taken.
        is_series: whether the samples are windows of a time series: then the last ones are taken,
            those next to the validation split, as windows overlap and a random part would still
            cover the whole time.

    Raises:
        ValueError: If there are fewer training samples.

    >>> splits = {"train": torch.arange(5), "val": torch.tensor([5]), "test": torch.tensor([6])}
    >>> with_fewer(splits, 2, seed=0, is_series=True)["train"].tolist()
    [3, 4]
    """
    train = splits["train"]
    if num_train is None:
        return dict(splits)
    if num_train > len(train):
        raise ValueError(
            f"loader.num_train must be at most {len(train)}, the number of training samples, got "
            f"{num_train}"
        )
    if is_series:
        kept = train.sort().values[-num_train:]
    else:
        order = np.random.default_rng(seed).permutation(len(train))[:num_train]
        kept = train[torch.from_numpy(np.sort(order))]
    return {**splits, "train": kept}


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


def read_split(path: str | Path) -> dict[str, Int[Tensor, " part"]]:
    """Read an ``.npz`` file with the arrays ``train``, ``val`` and ``test`` of whole numbers.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If an array is missing, has more than one axis, or no whole numbers.
    """
    arrays = read_npz(Path(path), list(PARTS))
    for part, index in arrays.items():
        if index.ndim != 1 or (index.dtype.kind not in "iu" and index.size):
            raise ValueError(
                f"split: {path} must have one row of whole numbers for each part, got {part} "
                f"of shape {index.shape} and type {index.dtype}"
            )
    return {part: torch.from_numpy(arrays[part].astype(np.int64)) for part in PARTS}


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
