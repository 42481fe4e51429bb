"""Finding a file that has several usual names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def find_file(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of several file names that exists in a folder, ignoring case.

    Args:
        folder: where to look; subfolders are not searched.
        names: file names, the preferred one first.
        what: what the file holds, for the message.

    Raises:
        FileNotFoundError: If none exists; the message lists the folder and all names tried.
    """
    there: dict[str, Path] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file():
                there.setdefault(path.name.lower(), path)
    for name in names:
        # The exact spelling wins if a folder has files that differ in case only.
        exact = folder / name
        if exact.is_file():
            return exact
        if name.lower() in there:
            return there[name.lower()]
    raise FileNotFoundError(
        f"{what}: {folder} has none of {', '.join(names)} (case is ignored)"
        + ("" if folder.is_dir() else "; there is no such folder")
    )
