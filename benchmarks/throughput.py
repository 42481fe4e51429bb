"""Training throughput of a model and dataset at full recipe size, and the share of data loading.

    python -m benchmarks.throughput model=ponita dataset=qm9 dataset.target=alpha
    python -m benchmarks.throughput model=ponita dataset=qm9 recipe=ponita-qm9_position --record
    python -m benchmarks.throughput --list | xargs -L1 python -m benchmarks.throughput

The arguments are those of ``train.py``. Batches come from the loader of the real data, and a step
is a training step without logging: random rotation, loss, gradient, clipping, optimiser. Medians
over the steps after the first one; memory is the peak of the process, data included. ``--record``
appends the measurements to ``benchmarks/results/throughput.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from hydra.utils import instantiate

from benchmarks._record import record
from geozoo.config import compose
from geozoo.runs.build import build_datamodule, build_task, complete_model
from geozoo.tasks import GraphTask

#: The published sizes of PONITA on molecules and digits.
PUBLISHED = (
    "model=ponita dataset=qm9 dataset.target=alpha",
    "model=ponita dataset=qm9 dataset.target=alpha recipe=ponita-qm9_edges",
    "model=ponita dataset=qm9 dataset.target=alpha recipe=ponita-qm9_position",
    "model=ponita dataset=qm9_generation",
    "model=ponita dataset=mnist_superpixels_slic",
    "model=ponita dataset=mnist_superpixels_slic model.representation=position",
)
CLIPPING = 0.5


def prepared_task(words: list[str]) -> tuple[GraphTask, Iterator[Any], int, Any]:
    """The task ready to train, its endless training batches, their size, and the optimiser."""
    cfg = compose(*words, "run_dir=unused")
    datamodule = build_datamodule(cfg)
    sizes = datamodule.spec.model_arguments()
    cfg.model = complete_model(cfg.model, sizes, left=datamodule.model_tensors())
    torch.manual_seed(0)
    task = build_task(cfg, datamodule)
    task.prepare(datamodule)
    optimizer = instantiate(cfg.optimizer, _convert_="all")(task.parameters())

    def batches() -> Iterator[Any]:
        while True:
            yield from datamodule.train_dataloader()

    return task, batches(), datamodule.loader.batch_size, optimizer


def measure(words: list[str], steps: int) -> dict[str, Any]:
    """Seconds per batch and per step, and quantities derived from them."""
    task, batches, size, optimizer = prepared_task(words)
    data_s, step_s = [], []
    for number in range(steps + 1):
        start = time.perf_counter()
        batch = next(batches)
        ready = time.perf_counter()
        optimizer.zero_grad()
        loss = task.loss(task.training_batch(batch, number))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), CLIPPING)
        optimizer.step()
        done = time.perf_counter()
        data_s.append(ready - start)
        step_s.append(done - ready)
    data, step = (statistics.median(values[1:]) for values in (data_s, step_s))
    return {
        "case": " ".join(words),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "batch_size": size,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "data_s": data,
        "step_s": step,
        "step_range_s": [min(step_s[1:]), max(step_s[1:])],
        "data_share": data / (data + step),
        "graphs_per_s": size / (data + step),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="of train.py: model=... dataset=...")
    parser.add_argument("--list", action="store_true", help="the words of the published sizes")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    if options.list:
        sys.stdout.write("\n".join(PUBLISHED) + "\n")
        return
    torch.set_num_threads(options.threads)
    row = measure(options.words, options.steps)
    sys.stdout.write(json.dumps(row) + "\n")
    if options.record:
        record("throughput", row)


if __name__ == "__main__":
    main()
