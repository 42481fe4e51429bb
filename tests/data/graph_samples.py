"""Small random graphs for `tests/data`."""

from __future__ import annotations

import torch

from geozoo.data import GraphStore


def random_graphs(sizes: list[int], *, with_edges: bool = True, seed: int = 0) -> list[dict]:
    """Graphs as dicts: ``pos``, ``z``, ``weight`` per edge, ``energy`` and ``dipole`` per graph."""
    generator = torch.Generator().manual_seed(seed)
    graphs = []
    for size in sizes:
        graph = {
            "num_nodes": size,
            "pos": torch.randn(size, 3, generator=generator),
            "z": torch.randint(1, 9, (size,), generator=generator),
            "energy": torch.randn((), generator=generator, dtype=torch.float64),
            "dipole": torch.randn(3, generator=generator),
        }
        if with_edges:
            num_edges = 2 * size if size else 0
            graph["edge_index"] = torch.randint(
                0, max(size, 1), (2, num_edges), generator=generator
            )
            graph["weight"] = torch.randn(num_edges, generator=generator)
        graphs.append(graph)
    return graphs


def make_store(sizes: list[int], *, with_edges: bool = True, seed: int = 0) -> GraphStore:
    """A store of :func:`random_graphs`."""
    return GraphStore.from_graphs(
        random_graphs(sizes, with_edges=with_edges, seed=seed),
        node=("pos", "z"),
        edge=("weight",) if with_edges else (),
        graph=("energy", "dipole"),
    )
