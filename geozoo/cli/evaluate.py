"""``geozoo-evaluate``: test a run's checkpoint again, or a trained model on any data."""

from __future__ import annotations

import argparse
import sys

from geozoo.cli._extras import extras_named
from geozoo.config.needs import with_needs

_DESCRIPTION = "Test a checkpoint or a trained model, on its own data or on others."
_EPILOG = """\
examples:
  geozoo-evaluate runs/ponita-nbody/<run>
  geozoo-evaluate checkpoint=runs/ponita-nbody/<run>/checkpoints/last.ckpt
  geozoo-evaluate --save runs/ponita-nbody/<run>       # after test=false, or an interrupted test
  geozoo-evaluate runs/ponita-rmd17/<run> task.test_rotations=20 trainer.accelerator=cpu
  geozoo-evaluate checkpoint=ponita-rmd17_ethanol dataset=rmd17 dataset.molecule=malonaldehyde
  geozoo-evaluate checkpoint=stid-los_loop protocol=stsgcn
"""


def main() -> None:
    """Read the command line and test."""
    parser = argparse.ArgumentParser(
        "geozoo-evaluate", description=_DESCRIPTION,
        epilog="\n".join(with_needs(_EPILOG.splitlines())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "run", help="run folder (its best checkpoint), checkpoint file or trained model"
    )
    parser.add_argument(
        "--save", action="store_true",
        help="write result.csv (which tells the changes), pictures and summary into the run folder",
    )  # fmt: skip
    parser.add_argument(
        "changes",
        nargs="*",
        help="dataset=..., protocol=..., or key=value below dataset, task or trainer",
    )
    options = parser.parse_args(sys.argv[1:])
    with extras_named("geozoo-evaluate"):
        from geozoo.cli._evaluation import evaluate

        evaluate(options.run.removeprefix("checkpoint="), options.changes, save=options.save)
