"""One line in the log about what was read of a file and what was not."""

from __future__ import annotations

import logging
from collections.abc import Iterable

_LOG = logging.getLogger(__name__)
_LISTED = 12


def report_contents(source: str, read: Iterable[str], unread: Iterable[str] = ()) -> None:
    """Log one line: what of a file is used, and what nobody looks at.

    Args:
        source: name of the file.
        read: names as the file has them.
        unread: names of everything else that is there.
    """
    line = f"{source}: read: {_listed(read)}"
    if unread := sorted(unread):
        line += f"; not read: {_listed(unread)}"
    _LOG.info(line)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
