"""Data loading alone: our store and loader against PyTorch Geometric's loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial

import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from benchmarks._case import Built, Case
from geozoo.data import EpochBatchSampler, GraphLoader, GraphStore

BATCH = 96
BATCHES = 40


@cache
def random_molecules() -> list[Data]:
    """Random graphs with the fields and mean sizes of QM9 in PyTorch Geometric."""
    generator = torch.Generator().manual_seed(0)
    molecules = []
    for nodes in torch.randint(12, 25, (BATCH * BATCHES,), generator=generator).tolist():
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


def _loader_of_pyg() -> Iterable[object]:
    return DataLoader(random_molecules(), batch_size=BATCH, shuffle=True)


def _loader() -> Iterable[object]:
    store = GraphStore.from_pyg(random_molecules())
    sampler = EpochBatchSampler(torch.arange(len(store)), BATCH, shuffle=True)
    return GraphLoader(store, sampler=sampler)


def _epoch(make: Callable[[], Iterable[object]], device: torch.device) -> Built:
    """One pass over all graphs, on the CPU without workers; returns the number of batches."""
    loader = make()
    return Built(lambda: float(sum(1 for _ in loader)))


CASES = [
    Case(
        "loading",
        f"{BATCHES} batches of {BATCH} graphs of the size of QM9 molecules, no model",
        {"torch_geometric": partial(_epoch, _loader_of_pyg), "geozoo": partial(_epoch, _loader)},
        BATCH * BATCHES,
    )
]
