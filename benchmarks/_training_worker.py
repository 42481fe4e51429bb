"""Training steps on request, with the geozoo of whichever checkout is on the path.

    PYTHONPATH=CHECKOUT python benchmarks/_training_worker.py model=... dataset=...

Requests and answers are those of `benchmarks._worker`: ``loss`` computes the loss of the first
batch, ``step`` trains a step and answers with its CPU and wall seconds. It is run by its path, so
that an earlier checkout needs to have no benchmark of this name.
"""

import json
import os
import sys
import time
import warnings
from itertools import cycle, islice

#: Batches that all steps take in turn.
BATCHES = 4


def main(words: list[str]) -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    import torch
    from hydra.utils import instantiate

    from geozoo.config import compose
    from geozoo.runs.build import build_datamodule, build_task, complete_model

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    cfg = compose(*words, "run_dir=unused")
    datamodule = build_datamodule(cfg)
    sizes = datamodule.spec.model_arguments()
    cfg.model = complete_model(cfg.model, sizes, left=datamodule.model_tensors())
    torch.manual_seed(0)
    task = build_task(cfg, datamodule)
    task.prepare(datamodule)
    optimizer = instantiate(cfg.optimizer, _convert_="all")(task.parameters())
    torch.manual_seed(0)
    batches = [
        task.training_batch(batch, number)
        for number, batch in enumerate(islice(cycle(datamodule.train_dataloader()), BATCHES))
    ]
    turns = cycle(batches)

    def loss() -> torch.Tensor:
        torch.manual_seed(0)
        return task.loss(next(turns))["loss"]

    def answer(**found: float) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    answer()
    for line in sys.stdin:
        if line.strip() == "loss":
            answer(loss=loss().item())
            turns = cycle(batches)
            continue
        started, started_wall = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        answer(
            cpu_seconds=time.process_time() - started,
            wall_seconds=time.perf_counter() - started_wall,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
