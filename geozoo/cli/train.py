"""``geozoo-train``: train a model of the zoo on one of its data sets."""

from __future__ import annotations

import sys


def main() -> None:
    """Read the command line and run; ``--help`` says how."""
    words = sys.argv[1:]
    if "--help" in words or "-h" in words:
        from geozoo.cli._help import print_help

        print_help()
        return
    from geozoo.cli._launch import launch

    launch(words)
