"""User errors, and how they are told from bugs."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

#: Types of errors that a ``raise`` of geozoo addresses to the user.
_CHECKS = (ValueError, TypeError, ImportError, IndexError, RuntimeError)


class RunError(RuntimeError):
    """A run cannot start or go on, for a reason that its user can change.

    Attributes:
        exit_code: what a command ends with.
    """

    exit_code = 1


class UsageError(RunError):
    """A command line that cannot be read: an unknown, missing or repeated key, or a bad value."""

    exit_code = 2


def is_user_error(error: BaseException) -> bool:
    """Whether an error is a message to the user, rather than a bug.

    It is one if geozoo itself raised it on purpose (the last frame of its traceback executes a
    ``raise`` statement in a file of geozoo), if it concerns the operating system (files, disks,
    connections), or if its class says so by an ``exit_code``. Any other error comes from a library
    or from an operation that went wrong, and only its traceback tells where.
    """
    if isinstance(error, OSError) or hasattr(error, "exit_code"):
        return True
    if isinstance(error, NotImplementedError) or not isinstance(error, _CHECKS):
        return False
    return _is_raised_by_geozoo(error.__traceback__)


@contextmanager
def user_errors_named(argument: str) -> Iterator[None]:
    """Name the argument that an error is about; bugs pass as they are.

    Raises:
        RunError: for a value, a file or a library that geozoo refuses.
    """
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        if not is_user_error(error):
            raise
        raise RunError(f"{argument}: {error}") from error


def _is_raised_by_geozoo(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is one of geozoo, at a ``raise``; not at a call that failed."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    operation = dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]]
    return package == "geozoo" and operation == "RAISE_VARARGS"
