"""Splits of molecules: random, stratified, by scaffold, or given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_choice, check_seed
from geozoo.data.properties._molecule_files import listed

By = Literal["random", "stratified", "scaffold", "group", "column"]
_PARTS = ("train", "val", "test")
#: Names of the parts in a column, in lower case.
PART_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
#: Number of quantiles of a stratified split.
_BINS = 10


@dataclass(frozen=True)
class SplitOptions:
    """How the splits without files of their own are taken from the training file.

    Attributes:
        by: ``random``; ``stratified``: by quantiles of the first target, or by classes;
            ``scaffold``: molecules with the same Bemis-Murcko scaffold are in the same split, the
            most frequent scaffolds in the training split; ``group``: random, molecules with the
            same value of ``column`` in the same split; ``column``: as given in the file.
        seed: seed of the random, the stratified and the group split.
        fractions: relative sizes of ``train``, ``val`` and ``test``.
        column: column with ``train``, ``val`` or ``test`` for ``by=column``, or with the groups for
            ``by=group``.

    Raises:
        ValueError: If ``by`` is unknown, the seed is negative, a fraction is not positive, or the
            column is missing or not used.
    """

    by: By = "random"
    seed: int = 0
    fractions: Mapping[str, int | float] = field(
        default_factory=lambda: {"train": 0.8, "val": 0.1, "test": 0.1}
    )
    column: str | None = None

    def __post_init__(self) -> None:
        """Validate before a file is read."""
        check_choice("by", self.by, get_args(By))
        check_seed(self.seed, "seed")
        sizes = dict(self.fractions)
        if set(sizes) != set(_PARTS) or not all(0 < v < float("inf") for v in sizes.values()):
            raise ValueError(
                f"fractions must be a positive number for each of train, val and test, got {sizes}"
            )
        if (self.by in ("column", "group")) != (self.column is not None):
            raise ValueError(
                "column must be given for by=column and by=group, and only then, got "
                f"by={self.by} and "
                f"column={self.column}"
            )

    @property
    def label(self) -> str:
        """The name of the split in a record."""
        if self.by in ("random", "stratified"):
            return f"{self.by}, seed {self.seed}"
        if self.by == "group":
            return f"groups of {self.column}, seed {self.seed}"
        return f"column {self.column}" if self.by == "column" else "scaffold"


def ratios_of(options: SplitOptions, separate: set[str]) -> dict[str, float]:
    """Fractions of the parts of the training file, which sum to 1.

    Args:
        options: the split.
        separate: parts with files of their own.
    """
    sizes = {p: float(options.fractions[p]) for p in _PARTS if p == "train" or p not in separate}
    return {part: size / sum(sizes.values()) for part, size in sizes.items()}


def stratified_split(
    strata: np.ndarray, ratios: Mapping[str, float], seed: int
) -> dict[str, Tensor]:
    """A random split in which every stratum is divided in the same ratios, up to rounding.

    Args:
        strata: ``[S]`` stratum of each molecule.
        ratios: fractions of the parts.
        seed: random seed.

    Raises:
        ValueError: If a part would be empty.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    # Every molecule goes to the part that is furthest behind its share so far.
    names, share = list(ratios), np.array(list(ratios.values()))
    given, owner = np.zeros(len(names)), np.empty(len(strata), dtype=np.int64)
    for count, row in enumerate(order, 1):
        owner[row] = int(np.argmax(share * count - given))
        given[owner[row]] += 1
    found = {name: rng.permutation(np.flatnonzero(owner == i)) for i, name in enumerate(names)}
    return _checked({name: torch.from_numpy(rows) for name, rows in found.items()}, "stratified")


def strata_of(values: np.ndarray, *, is_class: bool) -> np.ndarray:
    """Strata ``[S]`` of a target: classes, or ten quantiles; missing values are one more."""
    if is_class:
        return values.astype(np.int64)
    known = ~np.isnan(values)
    ranks = np.full(len(values), _BINS, dtype=np.int64)
    order = np.argsort(values[known], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    ranks[known] = place * _BINS // max(1, len(order))
    return ranks


def scaffold_split(smiles: Sequence[str], ratios: Mapping[str, float]) -> dict[str, Tensor]:
    """Whole scaffolds in one part, the largest first into the training part; without randomness.

    Args:
        smiles: the molecules. Those without rings have the empty scaffold in common.
        ratios: fractions of the parts.

    Raises:
        ImportError: If RDKit is not installed.
        ValueError: If a part is empty, because one scaffold is too frequent.
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold

    groups: dict[str, list[int]] = {}
    for row, each in enumerate(smiles):
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(smiles=each, includeChirality=False)
        groups.setdefault(scaffold, []).append(row)
    found: dict[str, list[int]] = {part: [] for part in ratios}
    ends = np.cumsum([ratios[part] * len(smiles) for part in ratios])
    for rows in sorted(groups.values(), key=lambda rows: (-len(rows), rows[0])):
        placed = 0
        for part, end in zip(ratios, ends, strict=True):
            placed += len(found[part])
            if placed + len(rows) <= end + 1e-9 or part == list(ratios)[-1]:
                found[part] += rows
                break
    largest = max(len(rows) for rows in groups.values())
    return _checked(
        {part: torch.tensor(rows, dtype=torch.int64) for part, rows in found.items()},
        f"scaffold ({len(groups)} scaffolds, {largest} molecules with the most frequent)",
    )


def column_split(
    values: Sequence[Any], names: Sequence[str], column: str, separate: set[str]
) -> dict[str, Tensor]:
    """The split that a column gives.

    Args:
        values: ``train``, ``val`` or ``test`` (also ``valid``, ``validation``) of each molecule.
        names: what messages call the molecules.
        column: name of the column.
        separate: parts with files of their own, which the column must not contain.

    Raises:
        ValueError: If a value is something else, or a part is empty.
    """
    known = [PART_NAMES.get(str(value).strip().lower()) for value in values]
    wrong = [i for i, part in enumerate(known) if part is None or part in separate]
    if wrong:
        raise ValueError(
            f"split.column: {column} must be train, val or test (without the parts that have "
            f"files of their own), got {values[wrong[0]]!r} in {listed(names[i] for i in wrong)}"
        )
    parts = [part for part in _PARTS if part == "train" or part not in separate]
    rows = {part: [i for i, each in enumerate(known) if each == part] for part in parts}
    return _checked({p: torch.tensor(r, dtype=torch.int64) for p, r in rows.items()}, column)


def groups_of(values: Sequence[Any], names: Sequence[str], column: str) -> list[str]:
    """The group of each molecule.

    Args:
        values: values of a column.
        names: what messages call the molecules.
        column: name of the column.

    Raises:
        ValueError: If a molecule has none.
    """
    found = ["" if value is None else str(value).strip() for value in values]
    if wrong := [i for i, each in enumerate(found) if each in ("", "nan")]:
        raise ValueError(
            f"split.column: {len(wrong)} molecules have no group {column}: "
            f"{listed(names[i] for i in wrong)}"
        )
    return found


def _checked(split: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    if empty := [part for part, rows in split.items() if not len(rows)]:
        sizes = ", ".join(f"{part} {len(rows)}" for part, rows in split.items())
        raise ValueError(f"split: {' and '.join(empty)} would be empty ({sizes}), by {kind}")
    return split
