"""``geozoo-sample``: draw molecules from a trained diffusion."""

from __future__ import annotations

import argparse
import sys

from geozoo.cli._extras import extras_named
from geozoo.config.needs import with_needs

_DESCRIPTION = "Draw molecules from a trained model and write them to a file."
_EPILOG = """\
words:
  checkpoint   trained model of the zoo, run folder (its best checkpoint) or checkpoint file
  n            how many (1000)
  out          file: .sdf (bonds by distances) or .xyz (molecules.sdf)
  seed         of sizes and noise (0)
  batch        drawn at once (100)
examples:
  geozoo-sample checkpoint=runs/ponita-qm9_generation/<run> n=1000 out=molecules.sdf
  geozoo-sample checkpoint=ponita-qm9_generation n=100 out=molecules.sdf
  geozoo-sample checkpoint=last.ckpt n=100 out=molecules.xyz seed=1
"""


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(
        "geozoo-sample", description=_DESCRIPTION,
        epilog="\n".join(with_needs(_EPILOG.splitlines())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("words", nargs="+", metavar="word=value")
    options = parser.parse_args(sys.argv[1:])
    with extras_named("geozoo-sample"):
        from geozoo.cli._sample import sample

        sample(options.words)
