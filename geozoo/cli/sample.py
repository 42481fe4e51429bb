"""``geozoo-sample``: the command ``geozoo sample`` as a program."""

from __future__ import annotations

import sys

from geozoo.cli.main import run_command


def main() -> None:
    """Read the command line and draw."""
    run_command("sample", sys.argv[1:])
