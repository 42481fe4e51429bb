"""CPU time and peak memory of neighbour lists against the number of atoms, per backend.

    python -m benchmarks.neighbors                          # both systems, 500 to 50000 atoms
    python -m benchmarks.neighbors copper --sizes 2000 10000 --record

Every tool returns the same: all directed edges of a periodic system with their integer shifts. For
geozoo these are both directions of the pairs of `neighbor_pairs`. matscipy is measured as well if
it is installed (``pip install matscipy==1.3.1``; geozoo does not need it), and ratios refer to it.
The tools run alternately in one process; times are the smallest of the rounds. Peak memory is that
of a fresh process per tool, beyond what was resident before. Exponents are slopes of a linear fit
through the upper half of the sizes, both axes logarithmic. ``--record`` appends the measurements to
``benchmarks/results/neighbors.jsonl``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks._memory import forget_largest, largest_mib, resident_mib
from benchmarks._record import record
from benchmarks.scale import exponents
from geozoo.geometry import neighbor_pairs

#: Atoms per cubic angstrom: liquid ethanol of 0.789 g/cm^3, as random points, and copper, as a
#: crystal with displaced atoms.
DENSITIES = {"ethanol": 0.0928, "copper": 0.0847}
SIZES = (500, 2000, 10000, 50000)
CUTOFF = 5.0
MATSCIPY = "matscipy"
BACKENDS = ("vesin", "torch", "nvalchemi")


class System(NamedTuple):
    """Positions ``[N, 3]`` in a cubic periodic cell ``[3, 3]``, in angstrom."""

    pos: Tensor
    cell: Tensor


def system(name: str, size: int) -> System:
    """A system of about so many atoms."""
    generator = torch.Generator().manual_seed(size)
    if name == "ethanol":
        points = torch.rand(size, 3, generator=generator, dtype=torch.float64)
        length = (size / DENSITIES[name]) ** (1 / 3)
    else:
        cells = round((size / 4) ** (1 / 3))
        corner = torch.cartesian_prod(*[torch.arange(cells)] * 3).double()
        face = torch.tensor([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
        points = (corner[:, None] + face).reshape(-1, 3)
        points += 0.03 * torch.randn(points.shape, generator=generator, dtype=torch.float64)
        points /= cells
        length = (len(points) / DENSITIES[name]) ** (1 / 3)
    return System(points * length, torch.eye(3, dtype=torch.float64) * length)


def searcher(tool: str, of: System) -> Callable[[], int]:
    """A function that builds the full directed list and returns its number of edges."""
    if tool == MATSCIPY:
        neighbour_list = importlib.import_module("matscipy.neighbours").neighbour_list
        pos, cell = of.pos.numpy(), of.cell.numpy()
        given = {"positions": pos, "cell": cell, "pbc": [True] * 3, "cutoff": CUTOFF}
        return lambda: len(neighbour_list("ijS", **given)[0])
    batch = torch.zeros(len(of.pos), dtype=torch.int64)
    pbc = torch.ones(1, 3, dtype=torch.bool)

    def search() -> int:
        index, image = neighbor_pairs(
            of.pos, CUTOFF, batch, cell=of.cell[None], pbc=pbc, backend=tool
        )
        edge_index = torch.cat([index, index.flip(0)], 1)
        shifts = torch.cat([image, -image])
        return min(edge_index.shape[1], len(shifts))

    return search


def tools(console: Console) -> list[str]:
    """The tools that can run here."""
    modules = {MATSCIPY: "matscipy", "vesin": "vesin", "nvalchemi": "nvalchemiops"}
    found = []
    for tool in (MATSCIPY, *BACKENDS):
        if tool in modules and importlib.util.find_spec(modules[tool]) is None:
            console.print(f"{tool} is not installed and left out")
        else:
            found.append(tool)
    return found


def seconds(searches: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """CPU seconds of each tool: the smallest of alternating rounds, after one to warm up."""
    edges = {tool: search() for tool, search in searches.items()}
    if len(set(edges.values())) > 1:
        raise RuntimeError(f"the tools disagree on the number of edges: {edges}")
    found = dict.fromkeys(searches, math.inf)
    for _ in range(rounds):
        for tool, search in searches.items():
            start = time.process_time()
            search()
            found[tool] = min(found[tool], time.process_time() - start)
    return found


def mib(tool: str, name: str, size: int) -> float:
    """Peak MiB of a fresh process beyond what was resident before the search."""
    command = [sys.executable, "-m", "benchmarks.neighbors", "--child", tool, name, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def child(tool: str, name: str, size: int) -> None:
    """Measure the memory of one search in this process."""
    searcher(tool, system(name, 500))()  # libraries are loaded
    search = searcher(tool, system(name, size))
    forget_largest()
    before = resident_mib()
    search()
    sys.stdout.write(f"\n{largest_mib() - before}")


def measured(name: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All sizes of a system."""
    names, points = tools(console), []
    for size in options.sizes:
        of = system(name, size)
        taken = seconds({tool: searcher(tool, of) for tool in names}, options.rounds)
        points += [
            {"tool": tool, "size": len(of.pos), "seconds": taken[tool],
             "mib": mib(tool, name, size)}
            for tool in names
        ]  # fmt: skip
    return {"system": name, "cutoff": CUTOFF, "threads": torch.get_num_threads(), "points": points}


def table(row: dict[str, Any]) -> Table:
    """Milliseconds, the ratio to matscipy and MiB of each tool and size."""
    sizes = sorted({point["size"] for point in row["points"]})
    shown = Table(row["system"], *[f"{size} atoms" for size in sizes], "time ~", "memory ~")
    names = list(dict.fromkeys(point["tool"] for point in row["points"]))
    reference = {p["size"]: p["seconds"] for p in row["points"] if p["tool"] == MATSCIPY}
    for tool in names:
        points = [point for point in row["points"] if point["tool"] == tool]
        cells = []
        for point in points:
            base = reference.get(point["size"])
            ratio = f" ({point['seconds'] / base:.2f})" if base else ""
            cells.append(f"{1e3 * point['seconds']:.1f} ms{ratio}, {point['mib']:.0f} MiB")
        slopes = exponents(points)
        powers = [f"N^{slopes.get(key, math.nan):.2f}" for key in ("seconds", "mib")]
        shown.add_row(tool, *cells, *powers)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("systems", nargs="*", default=list(DENSITIES), help=", ".join(DENSITIES))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="numbers of atoms")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        tool, name, size = options.child
        return child(tool, name, int(size))
    unknown = [name for name in options.systems if name not in DENSITIES]
    if unknown:
        parser.error(f"unknown system {unknown[0]!r}: expected one of {', '.join(DENSITIES)}")
    console = Console(width=max(Console().width, 160))
    for name in options.systems:
        row = measured(name, options, console)
        console.print(table(row))
        if options.record:
            record("neighbors", row)
    return None


if __name__ == "__main__":
    main()
