"""How commands report errors: one line for a user error, a traceback for a bug."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from geozoo.cli._extras import missing_library
from geozoo.runs.errors import RunError, is_user_error

#: Environment variable that shows the traceback of every error, as in Hydra.
FULL_ERROR = "HYDRA_FULL_ERROR"
_BUG = (
    "this is a bug in geozoo, or in a library or class that it calls. Please report it with the "
    "command and the traceback above"
)


@contextmanager
def errors_shown(program: str, *, leaves: bool = True) -> Iterator[None]:
    """Report an error and end the program.

    User errors (see `geozoo.runs.errors.is_user_error`), missing libraries of an extra, and
    out-of-memory errors print one message to standard error; the exit code is 2 for an invalid
    command line or config, and 1 otherwise. Anything else is a bug: it prints its traceback and a
    request to report it, and the exit code is 1. After Ctrl-C it is 1, without a traceback.
    HYDRA_FULL_ERROR=1 raises every error.

    Args:
        program: name of the command, for the message.
        leaves: whether to end the program; otherwise the error is raised again (after the
            traceback of a bug), for a process that passes it on to another one.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not leaves or os.environ.get(FULL_ERROR, "0") != "0":
            raise
        _say(program, "interrupted", is_bug=False)
        sys.exit(1)
    except Exception as error:
        if os.environ.get(FULL_ERROR, "0") != "0":
            raise
        message = _message(error)
        if message is None:
            traceback.print_exception(error)
        if not leaves and message is not None and not hasattr(error, "exit_code"):
            raise RunError(message) from error  # the other process has no traceback to judge by
        if not leaves:
            raise
        _say(program, _BUG if message is None else message, is_bug=message is None)
        sys.exit(getattr(error, "exit_code", 1))


def _message(error: Exception) -> str | None:
    """The message for the user; None for a bug."""
    if library := missing_library(error):
        return library
    if is_user_error(error):
        return str(error) or type(error).__name__
    if isinstance(error, (RuntimeError, MemoryError)) and _is_out_of_memory(error):
        return f"out of memory: {(str(error) or type(error).__name__).splitlines()[0]}"
    return None


def _is_out_of_memory(error: Exception) -> bool:
    from geozoo.machine.out_of_memory import is_out_of_memory

    return is_out_of_memory(error)


def _say(program: str, text: str, *, is_bug: bool) -> None:
    """Print to standard error; of several processes, only rank 0 reports a user error."""
    if not is_bug and not _is_main_process():
        return
    try:
        from geozoo.report.screen import Screen
    except ImportError:  # an installation without extras
        sys.stderr.write(f"{program}: {text}\n")
        return
    Screen().error(program, text)


def _is_main_process() -> bool:
    """Whether this is rank 0; without Lightning there is only one process."""
    if "lightning" not in sys.modules:
        return True
    from geozoo.runs.prepare import is_main_process

    return is_main_process()
