"""``key=value`` on a command line, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from geozoo.config.keys import repeated_message
from geozoo.runs.errors import RunError, UsageError


def key_values(words: Sequence[str]) -> dict[str, str]:
    """The values of ``key=value`` arguments by key.

    Raises:
        UsageError: for a key that is given more than once.

    >>> key_values(["checkpoint=run", "out=a=b.sdf"])
    {'checkpoint': 'run', 'out': 'a=b.sdf'}
    """
    pairs = [word.partition("=")[::2] for word in words]
    if message := repeated_message(key for key, _ in pairs):
        raise UsageError(message)
    return dict(pairs)


def check_writable(argument: str, path: Path) -> None:
    """Make sure, before any work, that a file can be written; it is left as it is.

    Args:
        argument: that names the file, for the message.
        path: the file.

    Raises:
        RunError: for a folder that does not exist, or a file that cannot be written.
    """
    if not path.parent.is_dir():
        raise RunError(f"{argument}: there is no folder {path.parent}; make it first")
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise RunError(f"{argument}: {path} cannot be written: {error.strerror}") from error
    if not existed:
        path.unlink()


def check_not_input(argument: str, path: Path, inputs: Iterable[Path]) -> None:
    """Make sure, before any work, that a file to be written is none of those that are read.

    Args:
        argument: that names the file, for the message.
        path: the file; links count as what they lead to.
        inputs: files that are read, whether they are there or not.

    Raises:
        RunError: when it is one of them.
    """
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            what = f"{path} is" if path == source else f"{path} is {source},"
            raise RunError(f"{argument}: {what} an input, which would be lost; name another file")
