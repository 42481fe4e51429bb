"""Time to make a batch: our store and loader beside the loader of PyTorch Geometric.

Run ``python -m benchmarks.data_loading``. Ninety-six graphs of the size of QM9 molecules (18 nodes
and 37 undirected edges on average) per batch, on the CPU, without worker processes. The two take
turns (A B A B ...), and medians over rounds are shown, because the speed of a shared machine
drifts. ``--record`` keeps the medians in ``benchmarks/results/data_loading.jsonl``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from rich.console import Console
from rich.table import Table
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from benchmarks._record import record
from geozoo.data import EpochBatchSampler, GraphLoader, GraphStore

BATCH_SIZE = 96


def random_molecules(number: int, *, seed: int = 0) -> list[Data]:
    """Random graphs with the fields and mean sizes of QM9 in PyTorch Geometric."""
    generator = torch.Generator().manual_seed(seed)
    molecules = []
    for nodes in torch.randint(12, 25, (number,), generator=generator).tolist():
        edges = round(2 * 37 * nodes / 18)
        molecules.append(
            Data(
                x=torch.randn(nodes, 11, generator=generator),
                pos=torch.randn(nodes, 3, generator=generator),
                z=torch.randint(1, 10, (nodes,), generator=generator),
                edge_index=torch.randint(0, nodes, (2, edges), generator=generator),
                edge_attr=torch.randn(edges, 4, generator=generator),
                y=torch.randn(1, 19, generator=generator),
            )
        )
    return molecules


def milliseconds_per_batch(loader: Iterable[object]) -> float:
    """Mean time of a batch over one epoch."""
    start = time.perf_counter()
    count = sum(1 for _ in loader)
    return 1e3 * (time.perf_counter() - start) / count


def measure(num_batches: int, rounds: int) -> dict[str, float]:
    """Median milliseconds per batch of each way."""
    molecules = random_molecules(num_batches * BATCH_SIZE)
    store = GraphStore.from_pyg(molecules)
    sampler = EpochBatchSampler(torch.arange(len(store)), BATCH_SIZE, shuffle=True)
    ways: dict[str, Callable[[], Iterable[object]]] = {
        "PyTorch Geometric, DataLoader": lambda: DataLoader(
            molecules, batch_size=BATCH_SIZE, shuffle=True
        ),
        "geozoo, GraphLoader": lambda: GraphLoader(store, sampler=sampler),
        "geozoo, GraphStore.gather": lambda: map(store.gather, sampler),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make in ways.items():
            times[name].append(milliseconds_per_batch(make()))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and show a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=40, help="batches per epoch")
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each way")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--record", action="store_true", help="keep the medians")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    medians = measure(options.batches, options.rounds)
    baseline = next(iter(medians.values()))
    table = Table("", "ms per batch", "times faster", title=f"{BATCH_SIZE} QM9-sized graphs, CPU")
    for name, value in medians.items():
        table.add_row(name, f"{value:.2f}", f"{baseline / value:.1f}")
    Console().print(table)
    if options.record:
        record("data_loading", {"batch_size": BATCH_SIZE, "milliseconds": medians})


if __name__ == "__main__":
    main()
