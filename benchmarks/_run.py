"""A training run of ``train.py`` in its own process, and the results it reports."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


_PROGRAM = (str(_ROOT / "train.py"),)


def train_command(words: list[str], folder: Path, program: Sequence[str] = _PROGRAM) -> list[str]:
    """The command that trains with these overrides in a folder."""
    return [sys.executable, *program, *words, f"run_dir={folder}"]


def train_py(
    words: list[str],
    folder: Path,
    *,
    threads: int | None = None,
    program: Sequence[str] = _PROGRAM,
) -> dict[str, Any]:
    """Train and return the test errors, training time in seconds and peak memory.

    Args:
        words: the arguments of ``train.py``.
        folder: the run folder.
        threads: threads per process; None: as set in the environment.
        program: arguments of Python in front of the words; ``train.py`` by default.

    Raises:
        RuntimeError: if the training fails, with the end of its output.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    command = train_command(words, folder, program)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    with (folder / "result.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        "test": {row["metric"]: float(row["value"]) for row in rows},
        "train_time_s": float(rows[0]["wall_time_s"]),
        "peak_memory_mb": float(rows[0]["peak_memory_mb"]),
    }
