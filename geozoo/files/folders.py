"""Data folders, and atomic writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Environment variable: folder of all datasets.
DATA_VARIABLE = "GEOZOO_DATA"


def data_folder(name: str, root: str | Path | None = None) -> Path:
    """The folder of a dataset: ``<root>/<name>``.

    Args:
        name: name of the dataset.
        root: folder of all datasets; ``None`` takes the environment variable ``GEOZOO_DATA``, or
            ``~/.cache/geozoo`` if that is not set.
    """
    root = root or os.environ.get(DATA_VARIABLE) or "~/.cache/geozoo"
    return Path(root).expanduser() / name


def check_writable(folder: Path) -> None:
    """Create a folder if necessary and test that it is writable, before long work begins.

    Raises:
        OSError: If the folder is not writable; the message names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = (
            f"cannot write to {folder} ({error.strerror}); set {DATA_VARIABLE}=<folder> to store "
            "the data elsewhere"
        )
        raise type(error)(message) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path that is renamed to ``path`` when the block ends without an error.

    Two processes that write the same file use separate temporary files, and the later one wins; a
    reader never sees a partial file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
