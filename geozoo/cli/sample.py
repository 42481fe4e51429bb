"""``geozoo-sample``: the command ``geozoo sample`` as a program."""

from __future__ import annotations

import sys

from geozoo.cli.main import run_command


def main() -> None:
    """Entry point of ``geozoo-sample``."""
    run_command("sample", sys.argv[1:])
