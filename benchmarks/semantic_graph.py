"""Exact dynamic time warping between sensors: wall time, edges, and the effect of an approximation.

    python -m benchmarks.semantic_graph                       # pems08_tail, 170 sensors
    python -m benchmarks.semantic_graph --record

The released GRAM-ODE code compares mean daily profiles by the package fastdtw with radius 6. If it
is installed (``pip install fastdtw``; geozoo does not need it), its distances are computed as well,
and the edges that differ from the exact ones are counted under both rules. ``--record`` appends the
measurements to ``benchmarks/results/semantic_graph.jsonl``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._record import record
from geozoo.data import LoaderOptions, Pems, RoadGraphs, forecast_protocol
from geozoo.data.traffic import semantic_adjacency
from geozoo.data.traffic.semantic_graph import dtw_distances

RADIUS = 6
RULES = ("closest", "released")


def approximate(days: np.ndarray) -> np.ndarray | None:
    """Distances of all pairs by fastdtw, or None if it is not installed."""
    try:
        fastdtw = importlib.import_module("fastdtw").fastdtw
    except ImportError:
        return None
    columns = list(days.T)
    found = np.zeros((len(columns), len(columns)))
    for first in range(len(columns)):
        for second in range(first + 1, len(columns)):
            distance, _ = fastdtw(columns[first], columns[second], radius=RADIUS)
            found[first, second] = found[second, first] = distance
    return found


def edges(distances: np.ndarray, rule: str, neighbors: int) -> Tensor:
    """The pairs that the rule links, each counted once."""
    graph = semantic_adjacency(torch.from_numpy(distances), rule=rule, neighbors=neighbors)
    return torch.triu(graph > 0, 1)


def measure(dataset: Pems) -> dict[str, Any]:
    """Seconds of both, edges of the exact distances, and how many the approximation changes."""
    days = dataset.mean_day()
    start = time.perf_counter()
    exact = dtw_distances(days)
    row: dict[str, Any] = {"sensors": days.shape[1], "exact_s": time.perf_counter() - start}
    start = time.perf_counter()
    nearly = approximate(days)
    if nearly is not None:
        # Two detectors may report the same values: at zero distance there is no relative excess.
        apart = np.triu(exact > 0, 1)
        excess = nearly[apart] / exact[apart] - 1
        row |= {
            "fastdtw_s": time.perf_counter() - start,
            "fastdtw_excess_mean": float(excess.mean()),
            "fastdtw_excess_max": float(excess.max()),
        }
    for rule in RULES:
        linked = edges(exact, rule, dataset.graphs.neighbors)
        row[f"{rule}_edges"] = int(linked.sum())
        if nearly is not None:
            other = edges(nearly, rule, dataset.graphs.neighbors)
            row[f"{rule}_lost"] = int((linked & ~other).sum())
            row[f"{rule}_gained"] = int((other & ~linked).sum())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--variant", default="pems08_tail", help="a PEMS0x dataset")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    dataset = Pems(
        variant=options.variant,
        protocol=forecast_protocol("stsgcn"),
        graphs=RoadGraphs(),
        loader=LoaderOptions(batch_size=64),
    )
    row = {"dataset": options.variant, **measure(dataset)}
    sys.stdout.write(json.dumps(row, indent=1) + "\n")
    if options.record:
        record("semantic_graph", row)


if __name__ == "__main__":
    main()
