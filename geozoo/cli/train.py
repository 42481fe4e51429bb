"""``geozoo-train``: train a model of the zoo on one of its datasets."""

from __future__ import annotations

import sys

from geozoo.cli._errors import errors_shown
from geozoo.machine.freed_memory import may_keep
from geozoo.runs.errors import UsageError


def main() -> None:
    """Entry point of ``geozoo-train``.

    Libraries are imported when they are needed: help and invalid arguments respond at once.
    """
    with errors_shown("geozoo train"):
        _main(sys.argv[1:])


def _main(argv: list[str]) -> None:
    from geozoo.config import use_own_folder
    from geozoo.config.arguments import config_dir_of, wrong_argument

    use_own_folder(config_dir_of(argv))
    if "--help" in argv or "-h" in argv:
        from geozoo.cli._help import print_help

        print_help()
        return
    if message := wrong_argument(argv):
        raise UsageError(message)
    may_keep()  # an invalid GEOZOO_MALLOC ends the program before work is lost
    from geozoo.cli._launch import launch

    launch(argv)
