"""Runs of a sweep started by a launcher of Hydra, such as that of SLURM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from geozoo.config.arguments import wrong_argument
from geozoo.runs.errors import UsageError
from geozoo.sweeps.jobs import Job

#: Imported, not run as a file: the launcher pickles `start` by its name.
_PROGRAM = "from geozoo.cli._sweep_launcher import main; main()"
_CONFIG = "geozoo_sweep_job"


def launched(launcher: str, options: Sequence[str]) -> Callable[[Job, dict[str, str]], int]:
    """A function that runs a job through a launcher, and waits for its end.

    Args:
        launcher: name of the launcher.
        options: its keys.

    Raises:
        UsageError: If the launcher, or the program that it needs, is not installed.
    """
    if message := wrong_argument(["-m", f"hydra/launcher={launcher}"]):
        raise UsageError(message.replace("hydra/launcher=", "launcher=", 1))

    def call(job: Job, changes: dict[str, str]) -> int:
        path = job.log.with_suffix(".job.json")
        kept = {name: value for name, value in changes.items() if name == "COLUMNS"}
        path.write_text(json.dumps({"words": job.words, "log": str(job.log), "changes": kept}))
        words = [f"hydra/launcher={launcher}", *options, f"job='{path}'"]
        words.append(f"hydra.sweep.dir='{path.parent / '.launcher'}'")
        log = job.log.with_suffix(".launcher.log")
        with log.open("w", encoding="utf-8") as file:
            code = subprocess.run(
                [sys.executable, "-c", _PROGRAM, "-m", *words], check=False, stdout=file,
                stderr=subprocess.STDOUT,
            ).returncode  # fmt: skip
        if not job.log.is_file():
            job.log.write_bytes(log.read_bytes())  # the reason why it was not started
        return code

    return call


def start(cfg: DictConfig) -> None:
    """Run the job of a file where the launcher put this process.

    Args:
        cfg: ``job``, the file with the words and the log.
    """
    job = json.loads(Path(cfg.job).read_text(encoding="utf-8"))
    with Path(job["log"]).open("w", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, *job["words"]], check=False, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **job["changes"]},
        )  # fmt: skip


def main() -> None:
    """Let Hydra start `start`."""
    import hydra
    from hydra.core.config_store import ConfigStore

    quiet = {"output_subdir": None, "sweep": {"subdir": "."}}
    ConfigStore.instance().store(_CONFIG, {"job": "???", "hydra": quiet})
    hydra.main(version_base="1.3", config_path=None, config_name=_CONFIG)(start)()
