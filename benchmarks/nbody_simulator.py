"""Time to simulate the N-body dataset: 3000, 2000 and 2000 trajectories up to frame 40.

    python -m benchmarks.nbody_simulator               # add --record to store the measurement

``--record`` appends it to ``benchmarks/results/nbody_simulator.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time

from benchmarks._record import record
from geozoo.data import LoaderOptions, NBody


def seconds_to_prepare() -> float:
    """Time of `NBody.prepare_data` into an empty folder."""
    with tempfile.TemporaryDirectory() as root:
        data = NBody(loader=LoaderOptions(batch_size=100), source="generate", root=root)
        start = time.perf_counter()
        data.prepare_data()
        return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the figure")
    options = parser.parse_args()
    row = {"trajectories": 7000, "seconds": seconds_to_prepare()}
    sys.stdout.write(json.dumps(row) + "\n")
    if options.record:
        record("nbody_simulator", row)


if __name__ == "__main__":
    main()
