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
    header, is_comment, rows = list[str](), False, list[list[float]]()
    for number, line in enumerate(lines, 1):
        words, marked = _words(line), line.lstrip().startswith(_COMMENTS)
        numbers = None if marked else _numbers(words)
        if not words or (marked and (header or rows)):
            continue
        if marked or (numbers is None and not rows and (is_comment or not header)):
            header, is_comment = words, marked
            continue
        rows.append(_checked(numbers, words, len(rows[0]) if rows else 0, f"{path}, line {number}"))
    if not rows:
        raise ValueError(f"{path}: there are no points")
    if header and len(header) != len(rows[0]) and not is_comment:
        raise ValueError(
            f"{path}: the header {' '.join(header)!r} has {len(header)} names, and lines have "
            f"{len(rows[0])} columns"
        )
    return np.array(rows), header if len(header) == len(rows[0]) else None


def _checked(numbers: list[float] | None, words: list[str], width: int, where: str) -> list[float]:
    """The numbers of a line, as many as of the first."""
    if numbers is None:
        odd = next(word for word in words if _numbers([word]) is None)
        raise ValueError(f"{where}: {odd!r} is not a number")
    if len(numbers) < 3 and not width:
        raise ValueError(
            f"{where}: a point needs at least three columns x y z, got {len(numbers)}; files of "
            "molecules are read by dataset=extxyz"
        )
    if width and len(numbers) != width:
        raise ValueError(f"{where}: {len(numbers)} columns instead of {width}")
    return numbers


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
