"""Errors from reading external files."""

from __future__ import annotations

import csv
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

#: Errors that the content of the file did not cause.
_OTHER = (ImportError, FileNotFoundError, PermissionError, IsADirectoryError)


@contextmanager
def corrupt_file_errors(path: str | Path, what: str) -> Iterator[None]:
    """Turn any exception raised while decoding a file into a ValueError that names the file.

    Every library fails on unexpected bytes in its own, undocumented ways.

    Args:
        path: the file.
        what: how the file may be wrong otherwise; follows "is corrupt or" in the message.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: Instead of any other exception.
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
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is corrupt or {what}: {reason}") from error


def damage_named(path: str | Path, what: str) -> AbstractContextManager[None]:
    """Deprecated name of `corrupt_file_errors`."""
    warnings.warn(
        "geozoo.data.damage_named is now geozoo.data.corrupt_file_errors",
        DeprecationWarning,
        stacklevel=2,
    )
    return corrupt_file_errors(path, what)


def read_tensors(path: str | Path) -> Any:
    """Read tensors and plain data written by ``torch.save``; nothing in the file is executed.

    The checksums of the archive are verified, which ``torch.load`` does not do.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt or holds anything else.
    """
    import torch  # only here: commands that read no tensors start without it

    path = Path(path)
    with corrupt_file_errors(path, "holds more than tensors and plain data"):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if (part := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of {part} is wrong")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # PyTorch's message goes on to explain how to unpickle it, which is unsafe advice.
            found = re.search(r"GLOBAL \S+", str(error))
            raise ValueError(
                f"it refers to {found[0]}" if found else "it was not written by torch.save"
            ) from None


def read_csv_rows(path: str | Path, *, separator: str = ",") -> list[tuple[int, list[str]]]:
    """The non-empty rows of a CSV file, with their line numbers.

    Args:
        path: the file, in UTF-8.
        separator: cell separator.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not text, or its rows differ in length.
    """
    path = Path(path).expanduser()
    with (
        corrupt_file_errors(path, "not a CSV file in UTF-8"),
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
