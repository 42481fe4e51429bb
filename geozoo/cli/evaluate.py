"""``geozoo-evaluate``: test the best checkpoint of a finished run again."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = "Test a checkpoint again and print the summary of its run."
_EPILOG = """\
examples:
  geozoo-evaluate runs/ponita-nbody/<run>
  geozoo-evaluate checkpoint=runs/ponita-nbody/<run>/checkpoints/last.ckpt
  geozoo-evaluate --save runs/ponita-nbody/<run>       # after test=false, or an interrupted test
  geozoo-evaluate runs/ponita-rmd17/<run> task.test_rotations=20 trainer.accelerator=cpu
"""


def main() -> None:
    """Read the command line and test."""
    parser = argparse.ArgumentParser(
        "geozoo-evaluate", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("run", help="run folder (its best checkpoint) or checkpoint file")
    parser.add_argument(
        "--save", action="store_true",
        help="write result.csv (which tells the changes), pictures and summary into the run folder",
    )  # fmt: skip
    parser.add_argument("changes", nargs="*", help="key=value below dataset, task or trainer")
    options = parser.parse_args(sys.argv[1:])
    from geozoo.cli._evaluation import evaluate

    evaluate(options.run.removeprefix("checkpoint="), options.changes, save=options.save)
