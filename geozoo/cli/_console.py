"""Log records on the screen."""

from __future__ import annotations

import logging
import time

from rich.text import Text

from geozoo.cli._quiet import quiet_lightning
from geozoo.report.screen import Screen


class _Lines(logging.Handler):
    """Log records as lines with the time of day, as long as they are."""

    def __init__(self, screen: Screen, *, has_clock: bool) -> None:
        super().__init__()
        self.screen, self.has_clock = screen, has_clock

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        try:
            text = self.format(record)
            if self.has_clock:
                clock = time.strftime("%X", time.localtime(record.created))
                self.screen.note(Text.assemble((clock, "dim"), " ", text))
            else:
                self.screen.note(text)
        except Exception:  # as logging's own handlers do: a log must not end a training
            self.handleError(record)


def configure_logging(screen: Screen, *, has_clock: bool = True) -> None:
    """Our own messages on the standard error, warnings of others, no hints of Lightning.

    Args:
        screen: where they go.
        has_clock: whether the time of day stands before each.
    """
    own = logging.getLogger("geozoo")
    for former in [each for each in own.handlers if isinstance(each, _Lines)]:
        own.removeHandler(former)
    own.addHandler(_Lines(screen, has_clock=has_clock))
    others = _Lines(screen, has_clock=has_clock)
    others.addFilter(lambda record: not record.name.startswith("geozoo"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[others])
    own.setLevel(logging.INFO)
    quiet_lightning()
