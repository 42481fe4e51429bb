"""Shared by all jobs of the GPU kit: time limit, folder, device, records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import torch

from geozoo.machine.provenance import device_name, versions

#: The checkout, and the records of all jobs.
ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "benchmarks" / "results" / "gpu.jsonl"


@dataclass
class Context:
    """A running job.

    Attributes:
        job: its name.
        out: output folder.
        seconds: its time limit.
        rehearse: tiny sizes, on any device.
        words: additional arguments of a training run.
        state: folder with the packed run folders of earlier jobs.
        started: start time, on the monotonic clock.
    """

    job: str
    out: Path
    seconds: float
    rehearse: bool
    words: tuple[str, ...] = ()
    state: Path = ROOT / "benchmarks" / "gpu" / "state"
    started: float = field(default_factory=time.monotonic)

    @property
    def device(self) -> torch.device:
        """The GPU; in a rehearsal the CPU if there is none."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def left(self) -> float:
        """Seconds until the job must end."""
        return self.seconds - (time.monotonic() - self.started)

    def say(self, text: str) -> None:
        """Write a log line with the seconds since the start."""
        sys.stdout.write(f"[{time.monotonic() - self.started:6.1f} s] {text}\n")
        sys.stdout.flush()

    def keep(self, row: Mapping[str, Any]) -> None:
        """Append a record to ``<job>.jsonl``, flushed to disk at once."""
        about = {"job": self.job, "rehearsal": self.rehearse, **machine(), "date": today()}
        with (self.out / f"{self.job}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, **about}) + "\n")


@dataclass(frozen=True)
class Job:
    """A job of the queue.

    Attributes:
        about: what it does, in one line.
        seconds: its time limit, out of the ten minutes per command.
        run: runs it.
    """

    about: str
    seconds: float
    run: Callable[[Context], None]


def machine() -> dict[str, Any]:
    """Device, driver and versions."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = {"device": device_name(device), "driver": _driver(), "versions": versions()}
    found["versions"]["cuda"] = torch.version.cuda or ""
    try:
        import triton

        found["versions"]["triton"] = triton.__version__
    except ImportError:
        found["versions"]["triton"] = ""
    return found


def today() -> str:
    """The date of the record."""
    return date.today().isoformat()


def run_command(command: list[str], context: Context, *, log: str, seconds: float) -> int:
    """Run a command with a time limit, output to screen and log; return its exit status.

    Args:
        command: program and arguments.
        context: of the job.
        log: name of the log file in the job's folder.
        seconds: time limit after which it is stopped (status 124).
    """
    context.say(f"+ {' '.join(command)}")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "110"}
    with (context.out / log).open("w", encoding="utf-8") as file:
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=max(seconds, 1.0), check=False,
                stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
            status = done.returncode
        except subprocess.TimeoutExpired:
            status = 124
    sys.stdout.write((context.out / log).read_text(encoding="utf-8", errors="replace")[-3000:])
    context.say(f"status {status}")
    return status


_DRIVER: list[str] = []


def _driver() -> str:
    """Driver version; empty if there is none."""
    if not _DRIVER:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
            _DRIVER.append(done.stdout.strip().splitlines()[0])
        except (OSError, subprocess.SubprocessError, IndexError):
            _DRIVER.append("")
    return _DRIVER[0]
