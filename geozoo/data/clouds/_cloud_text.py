"""Point clouds in text files: one point per line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geozoo.files.errors import corrupt_file_errors

#: Marks before a header that is a comment.
_COMMENTS = ("#", "//")


def read_text(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """The numbers ``[n, C]`` of a text file, and the names of its columns if it has a header.

    Columns are separated by blanks, tabs, commas or semicolons. The first line may hold names.
    Empty lines and lines that begin with ``#`` or ``//`` are skipped.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a value is no number, lines differ in length, or there are no points.
    """
    with corrupt_file_errors(path, "not text in UTF-8"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    header, first = None, ""
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        words = _words(line)
        if not words:
            continue
        if line.lstrip().startswith(_COMMENTS):
            if header is None and not rows:
                header = words
            continue
        numbers = _numbers(words)
        if numbers is None and not rows and not first:
            header, first = words, line
            continue
        if numbers is None:
            odd = next(word for word in words if _numbers([word]) is None)
            raise ValueError(f"{path}, line {number}: {odd!r} is not a number")
        if rows and len(numbers) != len(rows[0]):
            raise ValueError(
                f"{path}, line {number}: {len(numbers)} columns instead of {len(rows[0])}"
            )
        if len(numbers) < 3:
            raise ValueError(
                f"{path}, line {number}: a point needs at least three columns x y z, got "
                f"{len(numbers)}; files of molecules are read by dataset=extxyz"
            )
        rows.append(numbers)
    if not rows:
        raise ValueError(f"{path}: there are no points")
    if header is not None and len(header) != len(rows[0]):
        if first:
            raise ValueError(
                f"{path}: the header {first.strip()!r} has {len(header)} names, and lines have "
                f"{len(rows[0])} columns"
            )
        header = None  # a comment that is no header
    return np.array(rows), header


def _words(line: str) -> list[str]:
    text = line.strip()
    for mark in _COMMENTS:
        text = text.removeprefix(mark)
    for separator in (",", ";", "\t"):
        if separator in text:
            return [word.strip().strip('"') for word in text.split(separator)]
    return text.split()


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None
