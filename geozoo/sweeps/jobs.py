"""Runs of a sweep as processes: started, resumed, or left alone if they are finished."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from geozoo.runs.folder import RunFolder

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
#: What begins the message of an error.
_PROGRAM = "geozoo train: "


@dataclass(frozen=True)
class Job:
    """A process of a sweep.

    Attributes:
        name: name in messages.
        log: file for what it prints.
        words: what to start: arguments of this Python.
        product: file that exists when it is done.
    """

    name: str
    log: Path
    words: tuple[str, ...]
    product: Path

    @property
    def is_done(self) -> bool:
        """Whether its product exists."""
        return self.product.is_file()


def training_job(name: str, folder: Path, arguments: Sequence[str]) -> Job:
    """The training of a run folder: new, or resumed from its last checkpoint.

    Args:
        name: name in messages.
        folder: the run folder; one without a checkpoint is removed.
        arguments: arguments of ``geozoo train`` without the run folder.
    """
    run = RunFolder(folder)
    words = [*arguments, f"run_dir={quoted(folder)}"]
    if run.last.is_file():
        words = [f"resume={folder}"]
    elif folder.exists():
        shutil.rmtree(folder)
    command = ("-m", "geozoo.cli.main", "train", *words)
    return Job(name, folder.with_name(f"{folder.name}.log"), command, run.result)


def quoted(path: Path) -> str:
    """A path as a value of Hydra."""
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def run_jobs(
    jobs: Iterable[Job], *, processes: int, note: Callable[[str], None],
    call: Callable[[Job, dict[str, str]], int] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Run processes side by side, and go on if one fails.

    With several GPUs, each process sees one of them. Without ``OMP_NUM_THREADS``, the cores are
    shared evenly.

    Args:
        jobs: what to run; finished ones are left out.
        processes: how many at a time.
        note: shows a line of progress.
        call: runs a job with changed environment variables and returns the exit code; None: as a
            process.

    Returns:
        The error of every failed job by name.
    """
    left = [job for job in jobs if not job.is_done]
    slots: SimpleQueue[int] = SimpleQueue()
    for number in range(processes):
        slots.put(number)
    call = call or _call

    def one(job: Job) -> str:
        slot = slots.get()
        note(f"{job.name}: started")
        try:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            code = call(job, _environment(slot, processes))
        finally:
            slots.put(slot)
        error = "" if job.is_done else _error_of(job, code)
        note(f"{job.name}: {error or 'done'}")
        return error

    with ThreadPoolExecutor(processes) as pool:
        started = [pool.submit(one, job) for job in left]
        try:
            errors = [each.result() for each in started]
        except BaseException:  # Ctrl-C, which the running processes have received too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {job.name: error for job, error in zip(left, errors, strict=True) if error}


def _environment(slot: int, processes: int) -> dict[str, str]:
    changes = {"COLUMNS": "200"}
    if "OMP_NUM_THREADS" not in os.environ:
        changes["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // processes))
    devices = _devices()
    if len(devices) > 1:
        changes["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    return changes


def _devices() -> list[str]:
    """The GPUs that this process may use."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [each for each in given.split(",") if each]
    return [str(number) for number in range(torch.cuda.device_count())]


def _call(job: Job, changes: dict[str, str]) -> int:
    with job.log.open("w", encoding="utf-8") as log:
        return subprocess.run(
            [sys.executable, *job.words], check=False, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **changes},
        ).returncode  # fmt: skip


def _error_of(job: Job, code: int) -> str:
    """The message of a failed job: the line that its program began with its name, or the last."""
    if code < 0:
        return f"ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    text = job.log.read_text(encoding="utf-8", errors="replace") if job.log.is_file() else ""
    lines = [_COLOUR.sub("", line) for line in text.splitlines() if line.strip()]
    named = [number for number, line in enumerate(lines) if line.startswith(_PROGRAM)]
    if not named:
        return lines[-1] if lines else f"ended with exit code {code} and printed nothing"
    message = lines[named[-1]].partition(": ")[2]
    if message.startswith("this is a bug") and named[-1]:
        return f"{lines[named[-1] - 1]} (see {job.log})"  # the last line of the traceback
    return message
