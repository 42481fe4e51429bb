"""Time and memory of a training step, or of an evaluation, against problem size.

    python -m benchmarks.scale                        # all sweeps, to the limits below
    python -m benchmarks.scale atoms sensors --record
    python -m benchmarks.scale copper_painn ethanol_painn --threads 1 --gib 8 --seconds 120
    python -m benchmarks.scale --draw                 # plot the newest records

Sweeps over periodic systems evaluate energies, forces and stress of a network without training it.

Every size is measured in a fresh process: the fastest of up to three steps after a warm-up step,
and the resident memory needed beyond the built model. A sweep ends after its last size or where a
process exceeds the time or memory limit, or would by extrapolation, and reports which. Exponents
are slopes of a linear fit through the upper half of the points, both axes logarithmic. ``--record``
appends the measurements to ``benchmarks/results/scale.jsonl`` and plots
``benchmarks/results/scale.png``.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks._memory import forget_largest, largest_mib, resident_mib
from benchmarks._record import FOLDER, record
from benchmarks._sweeps import PERIODIC, SWEEPS
from geozoo.runs.freed_memory import keep_freed_memory

PICTURE = FOLDER / "scale.png"
ALL = SWEEPS | PERIODIC


def child(name: str, size: int, gib: float) -> None:
    """Measure one size in this process and write it as JSON."""
    keep_freed_memory()  # as in training
    resource.setrlimit(resource.RLIMIT_DATA, (int((gib + 0.5) * 2**30),) * 2)
    torch.manual_seed(0)
    try:
        built = ALL[name].build(size)
        forget_largest()
        before = resident_mib()
        seconds, cpu = [], []
        for _ in range(4):
            start, used = time.perf_counter(), time.process_time()
            built.step()
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - used)
            if sum(seconds) > 30:
                break
        found = {
            "seconds": min(seconds[1:] or seconds), "cpu_seconds": min(cpu[1:] or cpu),
            "mib": largest_mib() - before,
        }  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error):
            raise
        found = {"fault": f"more than {gib:g} GiB"}
    sys.stdout.write(json.dumps(found))


def measured(name: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """The measurements of one size, or the failure that ended it."""
    command = [sys.executable, "-m", "benchmarks.scale", "--child", name, str(size)]
    limits = ["--gib", str(options.gib), "--threads", str(options.threads)]
    try:
        done = subprocess.run(
            [*command, *limits],
            capture_output=True,
            text=True,
            check=False,
            timeout=options.seconds,
        )
    except subprocess.TimeoutExpired:
        return {"fault": f"more than {options.seconds:g} s for two steps"}
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def sweep(name: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All sizes of a sweep up to its limits."""
    points, end = [], "nothing up to the largest size"
    for size in ALL[name].sizes:
        if size > options.largest:
            end = f"nothing up to {points[-1]['size'] if points else 0}"
            break
        if points and points[-1]["mib"] * size / points[-1]["size"] > 1024 * options.gib:
            end = f"more than {options.gib:g} GiB at {size}, by extrapolation"
            break
        found = measured(name, size, options)
        if "fault" in found:
            end = f"{found['fault']} at {size}"
            break
        points.append({"size": size, **found})
        console.print(
            f"{name} {size}: {found['seconds']:.3g} s ({found['cpu_seconds']:.3g} s of CPU), "
            f"{found['mib']:.0f} MiB"
        )
    return {
        "sweep": name, "about": ALL[name].about, "threads": options.threads, "points": points,
        "exponents": exponents(points), "first_to_break": end,
    }  # fmt: skip


def exponents(points: list[dict[str, float]]) -> dict[str, float]:
    """Slopes of time and memory in the upper half of the points, both axes logarithmic."""
    upper = points[len(points) // 2 :]
    found = {}
    for key in ("seconds", "cpu_seconds", "mib"):
        usable = [(p["size"], p[key]) for p in upper if p.get(key, 0) > 0]
        if len(usable) > 1:
            x, y = np.log(np.array(usable, dtype=float)).T
            found[key] = float(np.polyfit(x, y, 1)[0])
    return found


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot time and memory of every sweep, with the fitted exponents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(rows), figsize=(3.2 * len(rows), 5.6), squeeze=False, layout="constrained"
    )
    for column, row in enumerate(rows):
        for line, (key, unit) in enumerate((("seconds", "s"), ("mib", "MiB"))):
            axis, points = axes[line][column], [p for p in row["points"] if p[key] > 0]
            sizes, values = [p["size"] for p in points], [p[key] for p in points]
            axis.loglog(sizes, values, "o-")
            power = row["exponents"].get(key, math.nan)
            axis.set_title(f"size$^{{{power:.2f}}}$ at the end", fontsize=9)
            axis.grid(visible=True, which="both", alpha=0.3)
            axis.set_ylabel(f"{'time' if unit == 's' else 'memory'} of a training step, {unit}")
            axis.set_xlabel(SWEEPS[row["sweep"]].label)
        axes[0][column].annotate(
            row["about"].replace(", ", ",\n", 1), (0.03, 0.97), xycoords="axes fraction",
            va="top", fontsize=7,
        )  # fmt: skip
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def newest() -> list[dict[str, Any]]:
    """The newest record of each sweep."""
    lines = (FOLDER / "scale.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["sweep"]: row for row in map(json.loads, lines)}
    return [rows[name] for name in ALL if name in rows]


def table(rows: list[dict[str, Any]]) -> Table:
    """Exponents and ends of the sweeps."""
    shown = Table(
        "",
        "largest",
        "seconds",
        "of CPU",
        "MiB",
        "KiB / size",
        "CPU time ~",
        "memory ~",
        "first to break",
    )
    for row in rows:
        if not row["points"]:
            continue
        last = row["points"][-1]
        cpu = "cpu_seconds" if "cpu_seconds" in last else "seconds"
        powers = [f"size^{row['exponents'].get(key, math.nan):.2f}" for key in (cpu, "mib")]
        shown.add_row(
            row["sweep"], str(last["size"]), f"{last['seconds']:.3g}",
            f"{last[cpu]:.3g}", f"{last['mib']:.0f}", f"{1024 * last['mib'] / last['size']:.0f}",
            *powers, row["first_to_break"],
        )  # fmt: skip
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sweeps", nargs="*", default=list(SWEEPS), help=", ".join(ALL))
    parser.add_argument("--seconds", type=float, default=600, help="limit of a process")
    parser.add_argument("--gib", type=float, default=12, help="limit of a process's memory")
    parser.add_argument("--largest", type=int, default=10**9, help="largest size to measure")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures, draw the picture")
    parser.add_argument("--draw", action="store_true", help="draw the newest records only")
    parser.add_argument("--child", nargs=2, metavar=("SWEEP", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        return child(options.child[0], int(options.child[1]), options.gib)
    unknown = [name for name in options.sweeps if name not in ALL]
    if unknown:
        parser.error(f"unknown sweep {unknown[0]!r}: expected one of {', '.join(ALL)}")
    console = Console(width=max(Console().width, 120))
    rows = []
    for name in [] if options.draw else options.sweeps:
        rows.append(sweep(name, options, console))
        if options.record:
            record("scale", rows[-1])
    if not any(row["points"] for row in rows) and not options.draw:
        console.print(rows[-1]["first_to_break"])
        return None
    if options.record or options.draw:
        rows = newest()
        draw([row for row in rows if row["sweep"] in SWEEPS], PICTURE)
        console.print(f"picture: {PICTURE}")
    console.print(table(rows))


if __name__ == "__main__":
    main()
