"""The separator of the cells of a table."""

from __future__ import annotations

import re
from pathlib import Path

from geozoo.files.errors import corrupt_file_errors

_SEPARATORS = (",", ";", "\t", "|")


def separator_of(path: Path) -> str:
    """The most frequent of ``, ; tab |`` in the header of a table.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not text.
    """
    with (
        corrupt_file_errors(path, "not a CSV file in UTF-8"),
        path.open(encoding="utf-8-sig") as file,
    ):
        header = next((line for line in file if line.strip()), "")
    header = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=header.count)
