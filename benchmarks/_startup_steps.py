"""From the command to the summary of a one-step training run, in a fresh process."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks._case import Built, Case

ROOT = Path(__file__).resolve().parents[1]
LIMITS = ["trainer.limit_train_batches=1", "trainer.limit_val_batches=0", "test=false"]
WORDS = ["model=ponita", "dataset=nbody", "trainer=quick", "trainer.max_epochs=1", *LIMITS]


def _run(command: list[str], device: torch.device) -> Built:
    """A command whose data are simulated and cached in its own folder."""
    folder = Path(tempfile.mkdtemp(prefix="geozoo-benchmark-"))
    environment = os.environ | {"GEOZOO_DATA": str(folder / "data"), "GEOZOO_OFFLINE": "1"}

    numbers = itertools.count()

    def step() -> float:
        words = [word.format(run=folder / f"run_{next(numbers)}") for word in command]
        subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, check=True, capture_output=True
        )
        return 0.0

    return Built(step)


CASES = [
    Case(
        "startup",
        "python train.py with one step on N-body, no validation, from the command to its summary",
        {
            "train.py": partial(_run, ["train.py", *WORDS, "run_dir={run}"]),
            "import torch": partial(_run, ["-c", "import torch"]),
            "import geozoo.nn": partial(_run, ["-c", "import geozoo.nn, geozoo.models"]),
        },
        1,
    )
]
