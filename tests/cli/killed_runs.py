"""Runs in processes of their own that die without a word."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from own_process import CONTEXT


class DyingRun:
    """``geozoo-train`` in a process that can be killed.

    Args:
        words: the command line.
        folder: where it is called.
        die_at: of its checkpoints, the one during whose writing it kills itself; None: none.
        whole: whether that checkpoint is complete but for its name, or half written.
    """

    def __init__(
        self, words: list[str], folder: Path, *, die_at: int | None = None, whole: bool = False
    ) -> None:
        self.process = CONTEXT.Process(
            target=_train, args=(words, str(folder), dict(os.environ), die_at, whole)
        )
        self.process.start()

    def finish(self) -> int:
        """Wait for the end, and return the exit code; negative: the signal that ended it."""
        self.process.join()
        return int(self.process.exitcode or 0)

    def kill_within(self, seconds: float, draw: random.Random) -> int:
        """Kill it at a random moment of the next so many seconds."""
        time.sleep(draw.uniform(0, seconds))
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
        return self.finish()


def _train(
    words: list[str], folder: str, environment: dict[str, str], die_at: int | None, whole: bool
) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if die_at is not None:
        _die_while_saving(die_at, whole)
    sys.argv = ["geozoo-train", *words]
    from geozoo.cli.train import main

    main()


def _die_while_saving(number: int, whole: bool) -> None:
    """Let the process kill itself when a checkpoint is about to get its name, or half written."""
    writes, sync = 0, os.fsync

    def dying(file: int) -> None:
        nonlocal writes
        sync(file)
        writes += 1
        if writes == number:
            if not whole:
                os.ftruncate(file, os.fstat(file).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = dying
