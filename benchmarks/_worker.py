"""A process that works on request, such as one side of a comparison."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any


class Worker:
    """A running process.

    Args:
        command: what runs; it answers with an empty object when it is ready, and then each line of
            its standard input with a line of JSON.
        root: the checkout whose packages it imports.
        threads: threads of each operation.

    Raises:
        RuntimeError: If the process ends, here and in `ask`, with the end of its messages.
    """

    def __init__(self, command: list[str], root: Path, threads: int) -> None:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        settings = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": str(root)}
        self.command = command
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=settings, cwd=root,
        )  # fmt: skip
        self._answer()

    def ask(self, request: str) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            errors = self.process.communicate()[1]
            raise RuntimeError(f"{' '.join(self.command)} failed:\n{errors[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer
