"""Commands that need no tensors start without PyTorch; datasets are imported one by one."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "lightning", "torchmetrics", "torch_geometric", "matplotlib", "ase", "rdkit"}
_COMMAND = """
import contextlib, io, sys
from geozoo.cli.main import main
sys.argv = ["geozoo", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()) as shown:
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
assert shown.getvalue()
"""
_REPORT = """
import resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, *{name.partition(".")[0] for name in sys.modules})
"""


def started(code: str, *arguments: str) -> tuple[float, set[str]]:
    """CPU seconds of a new interpreter, and the packages that it loaded."""
    command = [sys.executable, "-c", code + _REPORT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    return float(seconds), set(loaded)


@pytest.mark.parametrize(
    "command",
    [
        ("list",), ("list", "trained"), ("list", "recipes"), ("results",), ("table", "nbody"),
        ("table", "rmd17", "format=csv"), ("--help",), ("predict", "--help"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_without_tensors_start_at_once(command: tuple[str, ...]) -> None:
    seconds, loaded = started(_COMMAND, *command)
    assert not loaded & HEAVY
    assert seconds < 1  # a third of it on an idle machine


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        ("", HEAVY),
        ("DataRecord, forecast_protocol", HEAVY - {"torch"}),
        (
            "GraphBatch, GraphStore, GeometricSpec, LoaderOptions",
            {"lightning", "matplotlib", "ase"},
        ),
        ("bond_orders, TrafficSeries, simulate", {"lightning", "matplotlib", "ase"}),
    ],
)
def test_datasets_are_imported_one_by_one(names: str, absent: set[str]) -> None:
    code = f"from geozoo.data import {names}" if names else "import geozoo.data"
    assert not started(code)[1] & absent
