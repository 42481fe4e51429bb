"""One side of a pair in a process of its own, which works on request.

    python -m benchmarks.peers._worker NAME (theirs|ours) FOLDER THREADS

Requests are lines on standard input, answers lines of JSON on standard output: ``step`` works once
and answers with seconds of CPU (user and system, all threads) and of the clock; ``values PATH``
works once and stores the results; ``memory`` answers with the MiB that two steps need beyond the
built side. The first answer, with an empty object, says that the side is built.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks._memory import forget_largest, largest_mib, resident_mib
from benchmarks._worker import Worker

_ROOT = Path(__file__).parents[2]


def start(python: Path, arguments: list[str], threads: int) -> Worker:
    """A process of this module.

    Args:
        python: interpreter of its environment.
        arguments: of this module, without the number of threads.
        threads: threads of each operation.
    """
    command = [str(python), "-m", "benchmarks.peers._worker", *arguments, str(threads)]
    return Worker(command, _ROOT, threads)


def serve(name: str, which: str, folder: Path, answers: TextIO) -> None:
    """Build a side and answer requests until standard input ends."""
    from benchmarks.peers._pairs import PAIRS
    from benchmarks.peers._structures import SYSTEMS, small

    pair = PAIRS[name]
    side = getattr(import_module(f"benchmarks.peers.{pair.module}"), which)(pair, folder)
    frames = SYSTEMS[pair.system]()
    work = side(frames)

    def answer(**found: Any) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    answer()
    for line in sys.stdin:
        request, _, path = line.strip().partition(" ")
        if request == "step":
            started, started_wall = time.process_time(), time.perf_counter()
            work()
            answer(
                cpu_seconds=time.process_time() - started,
                wall_seconds=time.perf_counter() - started_wall,
            )
        elif request == "values":
            np.savez(path, **work())
            answer()
        elif request == "memory":
            side(small(frames))()  # compiled and loaded code is not what is measured
            gc.collect()
            forget_largest()
            before = resident_mib()
            for _ in range(2):
                work()
            answer(mib=largest_mib() - before)


def main(name: str, which: str, folder: str, threads: str) -> None:
    """Serve, with everything that libraries print on standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    import torch

    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    serve(name, which, Path(folder), answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
