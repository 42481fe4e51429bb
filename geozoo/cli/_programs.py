"""Files of the programs that Lightning starts again for each further process."""

from __future__ import annotations

import sys
from pathlib import Path


def program_file(command: str) -> str:
    """The file of the program of a command, ``geozoo-<command>`` next to the current one."""
    beside = Path(sys.argv[0]).with_name(f"geozoo-{command}")
    return str(beside) if beside.is_file() else beside.name
