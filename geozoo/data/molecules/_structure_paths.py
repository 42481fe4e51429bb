"""The files of a dataset of structures, and the splits that they make up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from geozoo.data.splits import check_groups, grouped_split, random_split
from geozoo.files.checksums import file_sha256


@dataclass(frozen=True)
class StructurePaths:
    """The training file, and those of the other splits that have files of their own.

    Attributes:
        files: every file under ``train``, ``val`` and ``test``, or ``test[0]``, ``test[1]``, ...
            for several test files.

    Raises:
        ValueError: If two paths refer to the same file.
    """

    files: Mapping[str, Path]

    @classmethod
    def of(
        cls,
        path: str | Path,
        val_path: str | Path | None,
        test_path: str | Path | Sequence[str | Path] | None,
    ) -> StructurePaths:
        """The paths given to a dataset.

        Raises:
            ValueError: If ``test_path`` is an empty list, or two paths refer to the same file.
        """
        files = {"train": Path(path).expanduser()}
        if val_path is not None:
            files["val"] = Path(val_path).expanduser()
        if isinstance(test_path, str | Path):
            files["test"] = Path(test_path).expanduser()
        elif test_path is not None:
            if not test_path:
                raise ValueError("test_path must not be an empty list; null: split from path")
            files |= {f"test[{i}]": Path(each).expanduser() for i, each in enumerate(test_path)}
        return cls(files)

    def __post_init__(self) -> None:
        """Check that the files are different."""
        resolved = [path.resolve() for path in self.files.values()]
        if len(set(resolved)) < len(resolved):
            shown = {name: str(path) for name, path in self.files.items()}
            raise ValueError(f"path, val_path and test_path must be different files, got {shown}")

    @property
    def splits(self) -> set[str]:
        """The splits with files of their own, ``train`` included."""
        return {split_of(name) for name in self.files}

    @property
    def names(self) -> dict[str, str]:
        """File names, with as much of the folders as distinguishes test files of the same name."""
        names = {name: path.name for name, path in self.files.items()}
        tests = {name: path for name, path in self.files.items() if split_of(name) == "test"}
        return names | dict(zip(tests, _distinct(list(tests.values())), strict=True))

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file as it is first read, twelve hexadecimal digits."""
        return {name: file_sha256(path)[:12] for name, path in self.files.items()}

    def check_there(self) -> None:
        """Check that all files exist.

        Raises:
            FileNotFoundError: If one does not; the message names the argument.
        """
        for name, path in self.files.items():
            if not path.is_file():
                argument = "path" if name == "train" else f"{split_of(name)}_path"
                raise FileNotFoundError(f"{argument}: there is no file {path}")

    def divided(
        self,
        counts: Mapping[str, int],
        fractions: Mapping[str, float],
        seed: int,
        *,
        groups: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Indices of each split: whole files, or a seeded random split of the training file.

        Args:
            counts: number of structures of each file, in the order of the store.
            fractions: relative sizes of the splits that are taken from the training file.
            seed: seed of this split.
            groups: ``[S]`` group of each structure, none of which is divided; None: no groups.

        Raises:
            ValueError: If a split would be empty, or files for different splits share a group.
        """
        cut = {part: size for part, size in fractions.items() if part not in self.splits}
        cut = {"train": fractions["train"], **cut}
        ratios = {part: size / sum(cut.values()) for part, size in cut.items()}
        if groups is None:
            found = random_split(counts["train"], ratios, seed=seed)
        else:
            found = grouped_split(groups[: counts["train"]].tolist(), ratios, seed=seed)
        for part in self.splits - {"train"}:
            own = [rows for name, rows in rows_of_files(counts).items() if split_of(name) == part]
            found[part] = torch.cat(own)
        if groups is not None:
            check_groups(groups.tolist(), found)
        return found

    def test_parts(self, counts: Mapping[str, int]) -> dict[str, Tensor]:
        """Indices of the structures of each of several test files, by name; otherwise empty."""
        rows = {
            name: part for name, part in rows_of_files(counts).items() if name.startswith("test[")
        }
        return {self.names[name]: part for name, part in rows.items()}


def split_of(name: str) -> str:
    """The split of a file: ``"test"`` for ``"test[1]"``."""
    return name.partition("[")[0]


def rows_of_files(counts: Mapping[str, int]) -> dict[str, Tensor]:
    """Indices of the structures of each file, which follow one another."""
    rows, start = {}, 0
    for name, count in counts.items():
        rows[name] = torch.arange(start, start + count)
        start += count
    return rows


def _distinct(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of some different paths that differ, each as long as it must be."""
    parts = [path.absolute().parts for path in paths]
    lengths = [1] * len(parts)
    while True:
        names = ["/".join(each[-k:]) for each, k in zip(parts, lengths, strict=True)]
        again = [i for i, name in enumerate(names) if names.count(name) > 1]
        longer = [i for i in again if lengths[i] < len(parts[i])]
        if not longer:
            return names
        for i in longer:
            lengths[i] += 1
