"""Finding a file that goes by several names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def find_file(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of the names that a folder has, upper and lower case alike.

    Args:
        folder: where to look; its subfolders are left alone.
        names: file names, the preferred one first.
        what: what the file holds, for the message.

    Raises:
        FileNotFoundError: when it has none of them; names the folder and all that was looked for.
    """
    there: dict[str, Path] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file():
                there.setdefault(path.name.lower(), path)
    for name in names:
        # The exact spelling goes first where a folder has files that differ in case only.
        exact = folder / name
        if exact.is_file():
            return exact
        if name.lower() in there:
            return there[name.lower()]
    raise FileNotFoundError(
        f"{what}: {folder} has none of {', '.join(names)} (upper and lower case do not matter)"
        + ("" if folder.is_dir() else "; there is no such folder")
    )
