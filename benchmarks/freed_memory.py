"""Time and peak memory of steps with kept and with returned freed memory.

    python -m benchmarks.freed_memory                       # all cases
    python -m benchmarks.freed_memory aspirin_painn copper_painn_2048 --rounds 3 --record

Commands of geozoo keep freed memory (`geozoo.machine.freed_memory`); ``GEOZOO_MALLOC=default``
leaves the C library as it is. Every measurement is a fresh process with one thread, the two modes
in turn: CPU time of a step, in user code and in the kernel of the system, and peak memory beyond
the built model. Aspirin: training steps on energies and forces of 5 molecules; copper: energies,
forces and stress. ``--record`` appends to ``benchmarks/results/freed_memory.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks._case import Built
from benchmarks._memory import forget_largest, largest_mib, resident_mib
from benchmarks._periodic_steps import evaluation
from benchmarks._record import record
from benchmarks._zoo_steps import CASES as ZOO
from geozoo.machine.freed_memory import MALLOC_VARIABLE, keep_freed_memory

MODES = ("default", "keep")
STEPS = 5
_ASPIRIN = {case.name: case for case in ZOO}["zoo_aspirin"].variants
CASES: dict[str, Callable[[], Built]] = {
    f"aspirin_{name}": partial(_ASPIRIN[name], torch.device("cpu"))
    for name in ("painn", "tensornet", "nequip", "ponita")
} | {
    f"copper_{name}_{count}": partial(evaluation, "copper", name, count)
    for name, count in (("painn", 500), ("painn", 2048), ("tensornet", 500), ("nequip", 500))
}


def child(name: str) -> dict[str, float]:
    """Measure a case in this process."""
    keep_freed_memory()
    torch.set_num_threads(1)
    built = CASES[name]()
    forget_largest()
    before = resident_mib()
    for _ in range(2):
        built.step()
    start = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(STEPS):
        built.step()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "user": (end.ru_utime - start.ru_utime) / STEPS,
        "system": (end.ru_stime - start.ru_stime) / STEPS,
        "mib": largest_mib() - before,
    }


def measured(name: str, rounds: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds, by mode."""
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode in MODES:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.freed_memory", "--child", name],
                env={**os.environ, MALLOC_VARIABLE: mode}, capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            found[mode].append(json.loads(done.stdout))
    return {
        mode: {key: statistics.median(each[key] for each in rows) for key in rows[0]}
        for mode, rows in found.items()
    }


def table(rows: dict[str, dict[str, dict[str, float]]]) -> Table:
    """One line per case."""
    shown = Table("", *(f"{mode}: user + system, peak" for mode in MODES), "time", "memory")
    for name, modes in rows.items():
        cells = [
            f"{row['user']:.3f} + {row['system']:.3f} s, {row['mib']:.0f} MiB"
            for row in modes.values()
        ]
        before, after = (modes[mode] for mode in MODES)
        time = (after["user"] + after["system"]) / (before["user"] + before["system"])
        shown.add_row(name, *cells, f"{time:.2f}", f"{after['mib'] / before['mib']:.2f}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--child", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        sys.stdout.write(json.dumps(child(options.child)))
        return
    if unknown := sorted(set(options.cases) - set(CASES)):
        parser.error(f"unknown case {unknown[0]!r}: expected any of {', '.join(CASES)}")
    rows: dict[str, Any] = {name: measured(name, options.rounds) for name in options.cases}
    Console(width=max(Console().width, 120)).print(table(rows))
    if options.record:
        record("freed_memory", {"threads": 1, "rounds": options.rounds, "cases": rows})


if __name__ == "__main__":
    main()
