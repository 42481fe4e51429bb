"""Job ``checks``: the tests that need a GPU."""

from __future__ import annotations

import sys

from benchmarks.gpu._job import Context, run_command

#: Files with tests marked ``gpu``.
FILES = (
    "tests/ops/test_kernel_sum.py",
    "tests/tasks/test_waiting.py",
    "tests/tasks/test_captured.py",
    "tests/data/test_store.py",
)


def run(context: Context) -> None:
    """Run ``pytest -m gpu``; without a GPU only collect them."""
    words = ["-m", "gpu", "-n", "0", "-p", "no:cacheprovider", "-W", "default", *FILES]
    if context.rehearse:
        words.append("--collect-only")
    command = [sys.executable, "-m", "pytest", *words]
    status = run_command(command, context, log="checks.log", seconds=context.left)
    tail = (context.out / "checks.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
    context.keep({"case": "pytest -m gpu", "status": status, "summary": "".join(tail)})
