"""A training run of several hours, monitored from outside: does memory grow, do steps slow down?

    python -m benchmarks.long_run --record model=ponita dataset=rmd17 trainer.max_epochs=30
    python -m benchmarks.long_run --draw                  # plot the newest record

The arguments after the options are those of ``train.py``. Resident memory is read every few
seconds; the time per step is that between two rows of the run's metrics, so validation and
checkpoints count; the test at the end does not. Reported are the growth of memory after the first
tenth of the time (slope of a linear fit) and the steps of the last quarter compared with those of
the second. ``--record`` appends the measurements to ``benchmarks/results/long_run.jsonl`` and plots
``benchmarks/results/long_run.png``.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks._memory import resident_mib_of
from benchmarks._record import FOLDER, record
from benchmarks._run import train_command

PICTURE = FOLDER / "long_run.png"


def steps_so_far(folder: Path) -> int:
    """Training steps of a run, according to its metrics."""
    told = []
    # The logger's files during training, the run's own once it has ended.
    for metrics in [*folder.glob("csv/version_*/metrics.csv"), *folder.glob("metrics.csv")]:
        with metrics.open(encoding="utf-8", newline="") as file:
            told += [int(row["step"]) for row in csv.DictReader(file) if row.get("train/loss")]
    return max(told, default=-1) + 1


def watch(words: list[str], folder: Path, seconds: float) -> list[tuple[float, float, int]]:
    """Train in a separate process and sample it every few seconds until it ends.

    Returns:
        Seconds since the start, resident MiB, steps taken; one entry per sample.

    Raises:
        RuntimeError: if the training fails.
    """
    looks, start = [], time.perf_counter()
    command = train_command(words, folder)
    with subprocess.Popen(command) as training:
        while training.poll() is None:
            time.sleep(seconds)
            elapsed = time.perf_counter() - start
            resident = resident_mib_of(str(training.pid))
            if resident is not None:  # else it has just ended
                looks.append((elapsed, resident, steps_so_far(folder)))
    if training.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {training.returncode}")
    return looks


def figures(looks: list[tuple[float, float, int]]) -> dict[str, Any]:
    """Growth of memory and of the time per step.

    Raises:
        ValueError: for a run of fewer than nine epochs, whose quarters are too short.
    """
    elapsed, resident, steps = (np.array(values) for values in zip(*looks, strict=True))
    epochs = np.flatnonzero(np.diff(steps, prepend=0))
    end = epochs[-1] + 1 if len(epochs) else 0
    elapsed, resident, steps = elapsed[:end], resident[:end], steps[:end]
    if len(epochs) < 9:
        raise ValueError(f"expected at least 9 epochs to compare, got {len(epochs)}")
    seconds = np.diff(elapsed[epochs]) / np.diff(steps[epochs])
    settled = elapsed > elapsed[-1] / 10
    quarter = len(seconds) // 4
    return {
        "hours": float(elapsed[-1] / 3600),
        "steps": int(steps[-1]),
        "mib_at_a_tenth": float(resident[settled][0]),
        "mib_at_the_end": float(resident[-1]),
        "mib_at_most": float(resident.max()),
        "mib_an_hour": float(3600 * np.polyfit(elapsed[settled], resident[settled], 1)[0]),
        "seconds_a_step": float(np.median(seconds)),
        "last_to_second_quarter": float(
            np.median(seconds[-quarter:]) / np.median(seconds[quarter : 2 * quarter])
        ),
        "epochs": [
            {
                "hours": float(elapsed[i] / 3600),
                "mib": float(resident[i]),
                "seconds_a_step": float(each),
            }
            for i, each in zip(epochs[1:], seconds, strict=True)
        ],
    }


def draw(row: dict[str, Any], path: Path) -> None:
    """Plot memory and time per step against the hours of a run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), layout="constrained")
    hours = [point["hours"] for point in row["epochs"]]
    for axis, key, label in (
        (axes[0], "mib", "resident memory, MiB"), (axes[1], "seconds_a_step", "time of a step, s"),
    ):  # fmt: skip
        values = [point[key] for point in row["epochs"]]
        axis.plot(hours, values, ".-")
        axis.set(xlabel="hours", ylabel=label, ylim=(0, 1.2 * max(values)))
        axis.grid(visible=True, alpha=0.3)
    figure.suptitle(row["words"], fontsize=8)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="what train.py is given")
    parser.add_argument("--folder", type=Path, default=Path("runs/long_run"), help="of the run")
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks")
    parser.add_argument("--record", action="store_true", help="keep the figures, draw the picture")
    parser.add_argument("--draw", action="store_true", help="draw the newest record only")
    options = parser.parse_args()
    if options.draw:
        newest = (FOLDER / "long_run.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        return draw(json.loads(newest), PICTURE)
    if options.folder.exists():
        parser.error(f"--folder: {options.folder} is there already")
    looks = watch(options.words, options.folder.absolute(), options.every)
    found = {"words": " ".join(options.words), **figures(looks)}
    Console().print({key: value for key, value in found.items() if key != "epochs"})
    if options.record:
        record("long_run", found)
        draw(found, PICTURE)
    return None


if __name__ == "__main__":
    main()
