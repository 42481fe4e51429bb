"""Where data lie, and writing files that are complete or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Environment variable with the folder of all data sets.
DATA_VARIABLE = "GEOZOO_DATA"


def data_folder(name: str, root: str | Path | None = None) -> Path:
    """The folder of a data set: ``<root>/<name>``.

    Args:
        name: name of the data set.
        root: folder of all data sets; ``None`` for the environment variable ``GEOZOO_DATA``, or
            ``~/.cache/geozoo`` where that is not set.
    """
    root = root or os.environ.get(DATA_VARIABLE) or "~/.cache/geozoo"
    return Path(root).expanduser() / name


def check_writable(folder: Path) -> None:
    """Make a folder if need be and try to write there, before long work whose result goes there.

    Raises:
        OSError: naming the folder, when nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = (
            f"nothing can be written to {folder} ({error.strerror}); {DATA_VARIABLE}=<folder> puts "
            "the data elsewhere"
        )
        raise type(error)(message) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when the block ends without an error.

    Two processes that write the same file each write their own and the later one stays; a reader
    never meets half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
