"""Log records on the terminal."""

from __future__ import annotations

import logging
import time

from rich.text import Text

from geozoo.cli._quiet import quiet_lightning
from geozoo.report.screen import Screen


class _Lines(logging.Handler):
    """Prints log records as unwrapped lines with the time of day."""

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
        except (
            Exception
        ):  # as the handlers of logging do: a log message must not end a training run
            self.handleError(record)


def configure_logging(screen: Screen, *, has_clock: bool = True) -> None:
    """Send geozoo's messages and warnings of other libraries to standard error.

    Args:
        screen: screen that prints them.
        has_clock: whether to prefix each message with the time of day.
    """
    own = logging.getLogger("geozoo")
    for handler in [each for each in own.handlers if isinstance(each, _Lines)]:
        own.removeHandler(handler)
    own.addHandler(_Lines(screen, has_clock=has_clock))
    others = _Lines(screen, has_clock=has_clock)
    others.addFilter(lambda record: not record.name.startswith("geozoo"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[others])
    own.setLevel(logging.INFO)
    quiet_lightning()
