"""The two sides of a pair in turn, and the memory of each."""

from __future__ import annotations

import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._worker import Worker
from benchmarks.peers import _worker
from benchmarks.peers._environments import pinned
from benchmarks.peers._pair import Pair

#: Steps of each side before the first that counts: compilers are done after two.
WARM_UP = 3


def measure(pair: Pair, python: Path, *, rounds: int, threads: int) -> dict[str, Any]:
    """Time, memory and deviation of a pair.

    Args:
        pair: what is compared.
        python: interpreter of the other library's environment.
        rounds: alternating steps that count.
        threads: threads of each operation.
    """
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)

        def start(side: str) -> Worker:
            interpreter = python if side == "theirs" else Path(sys.executable)
            worker = _worker.start(interpreter, [pair.name, side, made], threads)
            stack.callback(worker.close)
            return worker

        # Theirs first: it stores the weights that ours loads.
        sides = {side: start(side) for side in ("theirs", "ours")}
        found = _compared(sides, folder, same=not pair.differs)
        found |= timed(sides, rounds)
        for side in sides:
            found[side]["mib"] = start(side).ask("memory")["mib"]
    if min(found[side]["mib"] for side in sides) > 0:
        found["memory_ratio"] = found["ours"]["mib"] / found["theirs"]["mib"]
    return {
        "pair": pair.name, "title": pair.title, "system": pair.system, "work": pair.work,
        "differs": pair.differs, "threads": threads, "rounds": rounds, **found,
        "peer_versions": pinned(pair.environment),
    }  # fmt: skip


def timed(sides: dict[str, Worker], rounds: int) -> dict[str, Any]:
    """Median seconds of each side, and medians and ranges of the ratio in a round.

    CPU time of all threads, and time of the clock, which says what several threads gain and needs a
    machine without other work.
    """
    answers: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(-WARM_UP, rounds):
        for side, worker in sides.items():
            answer = worker.ask("step")
            if number >= 0:
                answers[side].append(answer)
    found: dict[str, Any] = {side: {} for side in sides}
    for clock, name in (("cpu_seconds", "times_faster"), ("wall_seconds", "times_faster_wall")):
        seconds = {side: [answer[clock] for answer in answers[side]] for side in sides}
        ratios = [a / b for a, b in zip(seconds["theirs"], seconds["ours"], strict=True)]
        for side, values in seconds.items():
            found[side][clock] = statistics.median(values)
        found |= {name: statistics.median(ratios), f"{name}_range": [min(ratios), max(ratios)]}
    return found


def _compared(sides: dict[str, Worker], folder: Path, *, same: bool) -> dict[str, Any]:
    """Largest deviation of each result relative to its largest value; nothing if they differ."""
    values = {}
    for side, worker in sides.items():
        path = folder / f"{side}.npz"
        worker.ask(f"values {path}")
        with np.load(path) as file:
            values[side] = {name: file[name] for name in file.files}
    if not same:
        return {}
    return {"deviation": deviations(values["theirs"], values["ours"])}


def deviations(wanted: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest deviation of each result, relative to its largest value.

    Raises:
        ValueError: If the results are not the same quantities.
    """
    if set(wanted) != set(found):
        raise ValueError(f"results must be {sorted(wanted)}, got {sorted(found)}")
    return {
        name: float(np.abs(found[name].reshape(value.shape) - value).max() / np.abs(value).max())
        for name, value in wanted.items()
    }
