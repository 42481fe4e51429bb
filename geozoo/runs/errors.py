"""User errors, and how they are distinguished from bugs."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

#: Types of errors that geozoo raises as messages to the user.
_CHECKS = (ValueError, TypeError, ImportError, IndexError, RuntimeError)


class RunError(RuntimeError):
    """A run cannot start or continue because of a user error.

    Attributes:
        exit_code: exit code of a command that fails with this error.
    """

    exit_code = 1


class UsageError(RunError):
    """An invalid command line: an unknown, missing or repeated key, or an invalid value."""

    exit_code = 2


def is_user_error(error: BaseException) -> bool:
    """Whether an error is a user error, rather than a bug.

    It is one if geozoo itself raised it (the last frame of its traceback executes a ``raise``
    statement in a module of geozoo), if it is an error of the operating system (files, disks,
    connections), or if its class has an ``exit_code``. Any other error comes from a library or a
    failed operation, and needs its traceback.
    """
    if isinstance(error, OSError) or hasattr(error, "exit_code"):
        return True
    if isinstance(error, NotImplementedError) or not isinstance(error, _CHECKS):
        return False
    return _is_raised_by_geozoo(error.__traceback__)


@contextmanager
def user_errors_named(argument: str) -> Iterator[None]:
    """Prefix user errors with the name of an argument; bugs pass unchanged.

    Raises:
        RunError: If the block raises a user error about a value, a file or a library.
    """
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        if not is_user_error(error):
            raise
        raise RunError(f"{argument}: {error}") from error


def _is_raised_by_geozoo(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is a ``raise`` statement of geozoo, not a failed call."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    operation = dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]]
    return package == "geozoo" and operation == "RAISE_VARARGS"
