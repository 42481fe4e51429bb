"""Errors of files that somebody else has written."""

from __future__ import annotations

import csv
import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

#: Of these it is not the content of a file that is to blame.
_OTHER = (ImportError, FileNotFoundError, PermissionError, IsADirectoryError)


@contextmanager
def damage_named(path: str | Path, what: str) -> Iterator[None]:
    """Turn whatever decoding a file raises into a ValueError that names the file.

    Every library fails on foreign bytes in ways of its own, which nobody lists.

    Args:
        path: the file.
        what: what it should have been, to follow "damaged or".

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: instead of any other error of its content.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        yield
    except _OTHER:
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        said = str(error) or type(error).__name__
        raise ValueError(f"{path} is damaged or {what}: {said}") from error


def read_tensors(path: str | Path) -> Any:
    """Plain data and tensors from a file of ``torch.save``; nothing in it is executed.

    The checksums of the file are compared, which torch leaves to others.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: naming the file, when it is damaged or holds anything else.
    """
    path = Path(path)
    with damage_named(path, "holds more than tensors and plain data"):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if (part := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of {part} is wrong")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # Torch goes on to say how it could be executed; that is nothing to advise.
            found = re.search(r"GLOBAL \S+", str(error))
            raise ValueError(
                f"it refers to {found[0]}" if found else "it is no file of torch.save"
            ) from None


def read_csv_rows(path: str | Path, *, separator: str = ",") -> list[tuple[int, list[str]]]:
    """The rows of a csv file that are not empty, with the numbers of their lines.

    Args:
        path: the file, in UTF-8.
        separator: sign between cells.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: naming the file, when it is no text or has rows of different lengths.
    """
    path = Path(path).expanduser()
    with (
        damage_named(path, "no csv file in UTF-8"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        reader = csv.reader(file, delimiter=separator)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    for line, row in rows:
        if len(row) != len(rows[0][1]):
            raise ValueError(
                f"{path}, line {line}: {len(row)} cells instead of {len(rows[0][1])}; is the file "
                "truncated?"
            )
    return rows
