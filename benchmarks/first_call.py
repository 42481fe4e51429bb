"""How long the first call of a network takes whose kernels have to be compiled.

    python -m benchmarks.first_call                       # all of them
    python -m benchmarks.first_call nequip --record

Every figure is that of one call in a fresh process, after imports and with the network built.
*First*: with an empty folder of kernels, which are compiled; *later*: with those kernels; *plain*:
without numba, in PyTorch. *Second* is the second call of the same process. A call is a training
step of the configured network on energies and forces of 5 molecules of 21 atoms, or energy, forces
and stress of 64 atoms of silicon by SevenNet-0, which needs the package sevenn (extra
``universal``). CPU and wall time in seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import torch

from benchmarks._record import record

WORK = ("nequip", "mace", "sevennet-0")
STATES = ("first", "later", "plain")


def step_of(work: str) -> Callable[[], object]:
    """The call to measure."""
    if work != "sevennet-0":
        from benchmarks._zoo_steps import potential

        return potential(work, 21, 9, torch.device("cpu")).step
    from ase.build import bulk

    from geozoo.engines.ase import GeozooCalculator

    atoms, calculator = bulk("Si", cubic=True) * 2, GeozooCalculator(work)

    def step() -> object:
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        return calculator.results["energy"]

    return step


def measure(work: str, is_plain: bool) -> dict[str, float]:
    """CPU and wall time of the first and second call in this process."""
    if is_plain:
        from geozoo.ops.steerable import sum as sums

        vars(sums)["has_numba"] = lambda: False
    step, found = step_of(work), {}
    for call in ("", "second_"):
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        found[f"{call}wall_s"] = time.perf_counter() - wall
        found[f"{call}cpu_s"] = time.process_time() - cpu
    return found


def measured(work: str, state: str, folder: str, threads: int) -> dict[str, float]:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.first_call", work, "--child", state]
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, check=False,
        env={**os.environ, "GEOZOO_KERNELS": folder},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("work", nargs="*", default=list(WORK))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--child", choices=STATES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.work) - set(WORK):
        parser.error(f"unknown work {min(unknown)!r}: expected any of {', '.join(WORK)}")
    torch.set_num_threads(options.threads)
    if options.child:
        json.dump(measure(options.work[0], options.child == "plain"), sys.stdout)
        return
    for work in options.work:
        if work == "sevennet-0" and importlib.util.find_spec("sevenn") is None:
            print("sevennet-0: skipped, the package sevenn is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = {state: measured(work, state, folder, options.threads) for state in STATES}
        for state, row in rows.items():
            print(f"{work}, {state}: " + ", ".join(f"{k} {v:.2f}" for k, v in row.items()))
        if options.record:
            record("first_call", {"work": work, "threads": options.threads, "calls": rows})


if __name__ == "__main__":
    main()
