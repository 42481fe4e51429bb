"""Which files of a folder are clouds, of which class, and in which split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.data.clouds._cloud_files import SUFFIXES
from geozoo.data.properties._molecule_splits import PART_NAMES, stratified_split
from geozoo.data.splits import PARTS, random_split
from geozoo.files.errors import corrupt_file_errors, read_csv_rows
from geozoo.files.separators import separator_of

#: Folder of the split lists of ShapeNet's part annotations, and the names of its categories.
_LISTS, _CATEGORIES = "train_test_split", "synsetoffset2category.txt"


@dataclass(frozen=True)
class CloudFile:
    """A file with one cloud.

    Attributes:
        path: the file.
        name: its path relative to the folder or the index.
        kind: its class or category; empty if unknown.
        part: its split; None if it is not given.
    """

    path: Path
    name: str
    kind: str = ""
    part: str | None = None


def find_clouds(path: Path, *, has_classes: bool) -> list[CloudFile]:
    """The files of a data set.

    Args:
        path: an index, a CSV file with the columns ``file``, ``label`` (for classes) and
            optionally ``split``; or a folder with a folder per class. Folders ``train``, ``val``
            and ``test`` may be in these or contain these; without classes, files may be in the
            folder itself or in folders of splits.
        has_classes: whether the class of each file is needed.

    Raises:
        FileNotFoundError: If the path or a file of the index does not exist, or a folder has no
            files of points.
        ValueError: If the index lacks a column, or a split has another name.
    """
    if path.is_file():
        return _of_index(path, has_classes=has_classes)
    if not path.is_dir():
        raise FileNotFoundError(f"path: there is no file or folder {path}")
    names = _category_names(path)
    found = [] if has_classes else _of_folder(path, path, "")
    for folder in _folders(path):
        part = PART_NAMES.get(folder.name.lower())
        inner = [each for each in _folders(folder) if each.name.lower() not in PART_NAMES]
        if part is None or not (inner or not has_classes):
            found += _of_folder(path, folder, names.get(folder.name, folder.name))
            continue
        # A split with folders of classes, or with files whose points have labels.
        each = [] if has_classes else _of_folder(path, folder, "")
        for of_class in inner:
            each += _of_folder(path, of_class, names.get(of_class.name, of_class.name))
        found += [replace(file, part=part) for file in each]
    if not found:
        raise FileNotFoundError(
            f"path: {path} has no folders with files of points ({', '.join(SUFFIXES)})"
        )
    return _with_lists(path, found)


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and each.name != _LISTS)


def _of_folder(root: Path, folder: Path, kind: str) -> list[CloudFile]:
    """The files of a class, sorted by split and name."""
    found = []
    for each in sorted(folder.iterdir()):
        if each.is_dir() and folder != root and (part := PART_NAMES.get(each.name.lower())):
            inner = [file for file in sorted(each.iterdir()) if file.suffix.lower() in SUFFIXES]
            found += [CloudFile(f, f.relative_to(root).as_posix(), kind, part) for f in inner]
        elif each.is_file() and each.suffix.lower() in SUFFIXES and each.name != _CATEGORIES:
            found.append(CloudFile(each, each.relative_to(root).as_posix(), kind))
    return found


def _of_index(path: Path, *, has_classes: bool) -> list[CloudFile]:
    rows = read_csv_rows(path, separator=separator_of(path))
    header = rows[0][1] if rows else []
    needed = ["file", "label"] if has_classes else ["file"]
    if missing := [name for name in needed if name not in header]:
        raise ValueError(
            f"{path}, line 1: an index needs the columns {', '.join(needed)} and optionally split; "
            f"{', '.join(missing)} is missing, there are {', '.join(header) or 'none'}. A single "
            "cloud is not a data set"
        )
    found = []
    for line, row in rows[1:]:
        cells = dict(zip(header, row, strict=True))
        file = path.parent / cells["file"]
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            raise FileNotFoundError(
                f"{path}, line {line}: {cells['file']!r} is no file of points "
                f"({', '.join(SUFFIXES)}) beside the index"
            )
        part = PART_NAMES.get(cells.get("split", "train").lower())
        if part is None:
            raise ValueError(
                f"{path}, line {line}: split must be train, val or test, got {cells['split']!r}"
            )
        kind = cells.get("label", "")
        if has_classes and not kind:
            raise ValueError(f"{path}, line {line}: the label is empty")
        given = part if "split" in header else None
        found.append(CloudFile(file, cells["file"], kind, given))
    if not found:
        raise ValueError(f"{path}: the index has no rows")
    return found


def _category_names(path: Path) -> dict[str, str]:
    """Names of categories by folder, of ShapeNet's part annotations; empty without the file."""
    file = path / _CATEGORIES
    if not file.is_file():
        return {}
    with corrupt_file_errors(file, "not two words per line"):
        words = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
        return {number: name for name, number in (each for each in words if each)}


def _with_lists(path: Path, found: list[CloudFile]) -> list[CloudFile]:
    """The files with the splits of ``train_test_split``, if there is such a folder."""
    of_name: dict[str, str] = {}
    for part in PARTS:
        file = path / _LISTS / f"shuffled_{part}_file_list.json"
        if file.is_file():
            with corrupt_file_errors(file, "not a list of names"):
                names = [str(name) for name in json.loads(file.read_text(encoding="utf-8"))]
            of_name |= {"/".join(name.split("/")[-2:]): part for name in names}
    if not of_name:
        return found
    keys = ["/".join(Path(each.name).with_suffix("").parts[-2:]) for each in found]
    if missing := [each.name for each, key in zip(found, keys, strict=True) if key not in of_name]:
        raise ValueError(
            f"{path / _LISTS}: {len(missing)} files are in no list, such as {missing[0]}"
        )
    return [replace(each, part=of_name[key]) for each, key in zip(found, keys, strict=True)]


def splits_of(
    files: Sequence[CloudFile], fractions: Mapping[str, float], seed: int
) -> tuple[dict[str, Tensor], str]:
    """The splits, and how they were made.

    Splits that the files state are kept. A part that is not stated is taken at random: of all
    files if none is stated, otherwise of the training files.

    Args:
        files: the files.
        fractions: relative sizes of the parts.
        seed: seed of the random parts, in which all classes have their share.

    Raises:
        ValueError: If some files have a split and others have none, or a part would be empty.
    """
    given = {part: [i for i, f in enumerate(files) if f.part == part] for part in PARTS}
    lacking = [part for part in PARTS if not given[part]]
    loose = [file.name for file in files if file.part is None]
    if loose and len(lacking) < len(PARTS):
        raise ValueError(f"split: some files are in a split, but not {loose[0]}")
    if len(lacking) == len(PARTS):
        rows, shares = list(range(len(files))), dict(fractions)
    elif not lacking:
        return {part: torch.tensor(given[part]) for part in PARTS}, "given"
    elif "train" in lacking:
        raise ValueError("split: there are no training files")
    else:
        rows = given["train"]
        shares = {part: fractions[part] for part in ("train", *lacking)}
    total = sum(shares.values())
    shares = {part: share / total for part, share in shares.items()}
    names = sorted({file.kind for file in files})
    strata = np.array([names.index(files[row].kind) for row in rows])
    drawn = (
        stratified_split(strata, shares, seed) if len(names) > 1
        else random_split(len(rows), shares, seed=seed)
    )  # fmt: skip
    found = {part: torch.tensor(rows)[index] for part, index in drawn.items()}
    found |= {part: torch.tensor(given[part]) for part in PARTS if part not in found}
    made = (
        f"random, seed {seed}" if loose else f"given, {' and '.join(lacking)} random, seed {seed}"
    )
    return {part: found[part] for part in PARTS}, made
