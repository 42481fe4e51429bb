"""Checks of command-line arguments and of the files they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from geozoo.config.keys import repeated_message
from geozoo.runs.errors import RunError, UsageError


def key_values(arguments: Sequence[str]) -> dict[str, str]:
    """The values of ``key=value`` arguments by key.

    Raises:
        UsageError: If a key is given more than once.

    >>> key_values(["checkpoint=run", "out=a=b.sdf"])
    {'checkpoint': 'run', 'out': 'a=b.sdf'}
    """
    pairs = [each.partition("=")[::2] for each in arguments]
    if message := repeated_message(key for key, _ in pairs):
        raise UsageError(message)
    return dict(pairs)


def check_writable(argument: str, path: Path) -> None:
    """Check, before any work, that a file can be written; an existing file is not changed.

    Args:
        argument: the argument that gives the file, for the message.
        path: the file.

    Raises:
        RunError: If the folder does not exist, or the file cannot be written.
    """
    if not path.parent.is_dir():
        raise RunError(f"{argument}: there is no folder {path.parent}; create it first")
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise RunError(f"{argument}: {path} cannot be written: {error.strerror}") from error
    if not existed:
        path.unlink()


def existing_folder(argument: str, path: Path | None) -> Path | None:
    """Check that a folder exists, if one is given.

    Args:
        argument: the argument that gives the folder, for the message.
        path: the folder; None: not given.

    Raises:
        RunError: If it is not a folder.
    """
    if path is not None and not path.expanduser().is_dir():
        raise RunError(f"{argument}: there is no folder {path}")
    return path


def check_not_input(argument: str, path: Path, inputs: Iterable[Path]) -> None:
    """Check, before any work, that an output file is not one of the inputs.

    Args:
        argument: the argument that gives the file, for the message.
        path: the output file; links are resolved.
        inputs: the input files, whether or not they exist.

    Raises:
        RunError: If the output is one of the inputs.
    """
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            what = f"{path} is" if path == source else f"{path} is {source},"
            raise RunError(
                f"{argument}: {what} an input, which would be overwritten; choose another file"
            )
