"""Time, memory and FLOPs of the library's own variants, side by side.

    python -m benchmarks                              # all cases
    python -m benchmarks nbody aspirin --rounds 9 --record
    python -m benchmarks qm9 --variants textbook recompute --threads 2
    python -m benchmarks --list
    python -m benchmarks peers                        # other libraries, see benchmarks.peers

The variants of a case run alternately (A B A B ...) within one process, on the same input and with
the same weights; losses and parameter gradients are compared with those of the first. Medians and
ranges are shown, and pairwise ratios. Peak memory is what the steps need beyond the built variant:
resident memory of a fresh child process on a CPU, allocated memory on a GPU; ``of tensors`` is the
same with a malloc that returns free blocks at once. ``GFLOP`` counts matrix products and
convolutions, ``GB`` what all operations would read and write if each ran by itself; ``of peak`` is
the time of the products at the machine's measured throughput, as a share of the wall time. Variants
for a GPU (``triton``, ``compiled``, ``cuda_graphs``) run on a CPU only if requested by name.
``--record`` appends the measurements to ``benchmarks/results/steps.jsonl``.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import (
    _evaluation_steps,
    _gram_ode_steps,
    _loading_steps,
    _network_steps,
    _ponita_steps,
    _recurrent_steps,
    _startup_steps,
    _zoo_steps,
)
from benchmarks._counts import floor_seconds
from benchmarks._machine import measured_peaks
from benchmarks._memory import child, peak_mib
from benchmarks._record import record
from benchmarks._timing import time_case

_ROOMS = (
    _ponita_steps,
    _evaluation_steps,
    _gram_ode_steps,
    _network_steps,
    _recurrent_steps,
    _loading_steps,
    _startup_steps,
    _zoo_steps,
)
CASES = {case.name: case for room in _ROOMS for case in room.CASES}


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All measurements of a case."""
    case, device = CASES[name], torch.device(options.device)
    variants = case.chosen(options.variants, device)
    # Memory first, while this process holds no memory that a variant might need.
    memory = {v: peak_mib(case, v, device, options.threads) for v in variants}
    peaks = measured_peaks(device)
    rows = time_case(case, variants, device, options.rounds)
    for variant, row in rows.items():
        row |= memory[variant]
        for key, value in memory[variant].items():
            if min(value, memory[variants[0]][key]) > 0:  # loaders and children may need none
                row[key.replace("mib", "times_less_memory")] = memory[variants[0]][key] / value
        row["share_of_peak"] = floor_seconds(row, peaks) / row["seconds"]
    size = {"threads": torch.get_num_threads(), "rounds": options.rounds}
    return {"case": name, "about": case.about, **size, **peaks, "variants": rows}


def table(found: dict[str, Any]) -> Table:
    """One line per variant."""
    machine = f"{found['peak_gflops']:.0f} GFLOP/s, {found['peak_gbytes_s']:.0f} GB/s"
    title = f"{found['case']}: {found['about']}\nmachine: {machine}"
    memory = ("MiB", "less", "of tensors", "less")
    shown = Table("", "seconds", "faster", *memory, "GFLOP", "GB", "of peak", title=title)
    for variant, row in found["variants"].items():
        low, high = row["seconds_range"]
        shown.add_row(
            variant, f"{row['seconds']:.3f} ({low:.3f}-{high:.3f})", f"{row['times_faster']:.2f} x",
            *_memory_cells(row, ""), *_memory_cells(row, "_of_tensors"),
            f"{row['gflop']:.1f}", f"{row['gbytes']:.1f}",
            f"{100 * row['share_of_peak']:.0f} %",
        )  # fmt: skip
    return shown


def _memory_cells(row: dict[str, Any], kind: str) -> tuple[str, str]:
    times = row.get(f"times_less_memory{kind}")
    mib = row.get(f"mib{kind}")
    return "-" if mib is None else f"{mib:.0f}", "-" if times is None else f"{times:.2f} x"


def main() -> None:
    """Measure the cases that are named, or list them."""
    if sys.argv[1:2] == ["peers"]:
        from benchmarks.peers.__main__ import main as peers

        return peers(sys.argv[2:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=list(CASES), help="see --list")
    parser.add_argument("--list", action="store_true", help="show the cases")
    parser.add_argument("--variants", nargs="+", help="only these, the first being the reference")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--child", nargs=2, metavar=("VARIANT", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}: expected one of {', '.join(CASES)}")
    for name in options.cases:
        lacking = set(options.variants or ()) - set(CASES[name].variants)
        if lacking:
            known = ", ".join(CASES[name].variants)
            parser.error(f"unknown variant {min(lacking)!r} of {name}: expected any of {known}")
    torch.set_num_threads(options.threads)
    if options.child:
        return child(CASES[options.cases[0]], options.child[0], int(options.child[1]))
    console = Console(width=max(Console().width, 120))
    for name in options.cases:
        if options.list:
            console.print(f"{name}: {CASES[name].about} ({', '.join(CASES[name].variants)})")
            continue
        found = measure(name, options)
        console.print(table(found))
        if options.record:
            record("steps", found, device=options.device)


if __name__ == "__main__":
    main()
