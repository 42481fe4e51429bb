"""A log line about what was read from a file and what was ignored."""

from __future__ import annotations

import logging
from collections.abc import Iterable

_LOG = logging.getLogger(__name__)
_LISTED = 12


def report_contents(source: str, read: Iterable[str], unread: Iterable[str] = ()) -> None:
    """Log one line: which entries of a file are used, and which are ignored.

    Args:
        source: file name.
        read: names of the entries that are used, as spelled in the file.
        unread: names of all other entries.
    """
    line = f"{source}: read: {_listed(read)}"
    if unread := sorted(unread):
        line += f"; not read: {_listed(unread)}"
    _LOG.info(line)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
