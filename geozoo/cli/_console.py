"""Messages on the screen."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from geozoo.cli._options import RunError
from geozoo.cli._quiet import quiet_lightning
from geozoo.zoo import ConfigError

_USAGE_FAULT, _RUN_FAULT = 2, 1


@contextmanager
def faults_shown(console: Console, program: str) -> Iterator[None]:
    """End the program with their message, without a traceback, for faults that a user can mend.

    HYDRA_FULL_ERROR=1 shows the traceback, as it does for Hydra's own messages.
    """
    try:
        yield
    except (ConfigError, RunError) as error:
        if os.environ.get("HYDRA_FULL_ERROR", "0") != "0":
            raise
        is_usage = isinstance(error, ConfigError)
        stop(console, program, str(error), code=_USAGE_FAULT if is_usage else _RUN_FAULT)


def stop(console: Console, program: str, text: str, *, code: int = _USAGE_FAULT) -> None:
    """Print a message and leave."""
    console.print(Text.assemble((f"{program}: ", "bold red"), text), soft_wrap=True)
    sys.exit(code)


def configure_logging(console: Console) -> None:
    """Our own messages on the console, warnings of others, no hints of Lightning."""
    handler = RichHandler(console=console, show_path=False, show_level=False, log_time_format="%X")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("geozoo").setLevel(logging.INFO)
    quiet_lightning()
