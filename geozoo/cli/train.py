"""``geozoo-train``: train a model of the zoo on one of its data sets."""

from __future__ import annotations

import sys

from geozoo.cli._extras import extras_named


def main() -> None:
    """Read the command line and run; ``--help`` says how.

    Libraries load when they are needed: help and misspelt words answer at once.
    """
    with extras_named("geozoo-train"):
        _main(sys.argv[1:])


def _main(words: list[str]) -> None:
    if "--help" in words or "-h" in words:
        from geozoo.cli._help import print_help

        print_help()
        return
    from geozoo.config.arguments import unknown_word

    fault = unknown_word(words)
    if fault:
        sys.stderr.write(f"geozoo-train: {fault}\n")
        sys.exit(2)
    from geozoo.cli._launch import launch

    launch(words)
