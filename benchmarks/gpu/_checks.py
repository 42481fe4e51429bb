"""Job ``checks``: the tests that need a GPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.gpu._job import Context, run_command

#: Files with tests marked ``gpu``.
FILES = (
    "tests/ops/test_kernel_sum.py",
    "tests/ops/test_steerable_triton.py",
    "tests/tasks/test_waiting.py",
    "tests/tasks/test_captured.py",
    "tests/data/test_store.py",
)


def run(context: Context) -> None:
    """Run ``pytest -m gpu``; without a GPU only collect them."""
    run_tests(context, FILES, seconds=context.left)


def run_tests(context: Context, files: Sequence[str], *, seconds: float) -> None:
    """Run the tests marked ``gpu`` of some files and record the outcome.

    Args:
        context: of the job.
        files: the files.
        seconds: time limit.
    """
    words = ["-m", "gpu", "-n", "0", "-p", "no:cacheprovider", "-W", "default", *files]
    if context.rehearse:
        words.append("--collect-only")
    command = [sys.executable, "-m", "pytest", *words]
    status = run_command(command, context, log="checks.log", seconds=seconds)
    tail = (context.out / "checks.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
    context.keep({"case": "pytest -m gpu", "status": status, "summary": "".join(tail)})
