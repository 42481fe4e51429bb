"""Create the prepared file of ``mnist_superpixels_slic`` on all cores; geozoo uses one.

    GEOZOO_DATA=... python -m benchmarks.gpu.superpixels

The file is the one that ``train.py dataset=mnist_superpixels_slic`` would create first.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from unittest import mock

import numpy as np
import torch

from geozoo.data import GraphStore, LoaderOptions, MNISTSlic
from geozoo.data.images.superpixels import SlicOptions, slic_graphs

#: Images per chunk: a multiple of those whose neighbours geozoo searches at once.
BLOCK = 2500


def parallel_graphs(
    images: np.ndarray, options: SlicOptions, advance: Callable[[int], None] = lambda amount: None
) -> GraphStore:
    """The output of `geozoo.data.slic_graphs`, computed with one process per core."""
    blocks = [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
    workers = min(len(blocks), os.cpu_count() or 1)
    parts = []
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for block, part in zip(blocks, pool.map(_cut, blocks, repeat(options)), strict=True):
            parts.append(part)
            advance(len(block))
    *flat, edges = zip(*parts, strict=True)
    counts, num_edges, pos, grey = (torch.from_numpy(np.concatenate(each)) for each in flat)
    edge_index = torch.from_numpy(np.concatenate(edges, 1))
    return GraphStore(counts, {"pos": pos, "x": grey}, edge_index=edge_index, num_edges=num_edges)


def _cut(images: np.ndarray, options: SlicOptions) -> tuple[np.ndarray, ...]:
    """Arrays rather than tensors, which would be passed through shared memory."""
    store = slic_graphs(images, options)
    assert store.edge_index is not None and store.num_edges is not None
    tensors = (store.num_nodes, store.num_edges, store.node["pos"], store.node["x"])
    return tuple(tensor.numpy() for tensor in (*tensors, store.edge_index))


def main() -> int:
    begun = time.monotonic()
    data = MNISTSlic(loader=LoaderOptions(batch_size=96), download=False)
    with mock.patch("geozoo.data.images.mnist_superpixels.slic_graphs", parallel_graphs):
        data.prepare_data()
    sys.stdout.write(f"{data.prepared.name} is there after {time.monotonic() - begun:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
