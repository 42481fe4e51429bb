"""``geozoo-evaluate``: the command ``geozoo evaluate`` as a program."""

from __future__ import annotations

import sys

from geozoo.cli.main import run_command


def main() -> None:
    """Entry point of ``geozoo-evaluate``."""
    run_command("evaluate", sys.argv[1:])
