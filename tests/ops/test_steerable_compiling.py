"""Compilation of the kernels of steerable sums: once per kind of path, announced, kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from geozoo.ops.steerable import SteerablePaths, _compiled, _generated
from tests.ops.test_steerable_sum import PATHS

pytest.importorskip("e3nn")
pytestmark = pytest.mark.skipif(not _compiled.has_numba(), reason="numba is not installed")
CODE = """
import time
import e3nn.o3, numba
from tests.ops.test_steerable_sum import PATHS, given, made
from geozoo.ops.steerable import steerable_sum
edges = made("edges")
inputs = given(edges)
start = time.process_time()
steerable_sum(*inputs, edges, PATHS, backend="numba").sum().backward()
print(time.process_time() - start)
"""


@pytest.mark.thorough
def test_later_processes_do_not_compile(tmp_path: Path) -> None:
    environment = {**os.environ, "GEOZOO_KERNELS": str(tmp_path)}
    command = [sys.executable, "-c", CODE]
    first, later = (
        subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
        for _ in range(2)
    )
    assert float(later.stdout) < 0.5 * float(first.stdout)
    assert first.stderr.count("compiling kernels for steerable features") == 1
    assert str(tmp_path) in first.stderr
    assert "compiling" not in later.stderr
    # Nothing for derivatives of second order, which were not asked for.
    loops = {path.name.split("_")[1] for path in tmp_path.glob("geozoo_*.py")}
    assert loops == {"driver", "memory", "forward", "backward"}


def test_paths_of_the_same_kinds_share_their_kernels() -> None:
    wider = SteerablePaths(
        tuple(replace(path, scale=3.0, w=path.w + 1) for path in reversed(PATHS.paths)),
        PATHS.x_width, PATHS.y_width, PATHS.w_width + 1, PATHS.out_width,
    )  # fmt: skip
    one, other = (_compiled.kernel_of(each, "forward", "float64") for each in (PATHS, wider))
    assert sorted(set(one.kernels.tolist())) == sorted(set(other.kernels.tolist()))
    assert one.numbers.tolist() != other.numbers.tolist()


def test_an_interrupted_compilation_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "raise KeyboardInterrupt"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            _compiled._module(source, "interrupted")
    assert not _compiled._is_compiled(_compiled._name(source, "interrupted"))


@pytest.mark.parametrize("loop", list(_generated.ARRAYS))
def test_streams_are_numbered(loop: str) -> None:
    source = _generated.kind_source((1, 1, 1, False), loop, "float64", "memory")
    calls = [line.strip() for line in source.splitlines() if line.strip().startswith("add(")]
    numbers = [call.rstrip(")").split(", ")[-2:] for call in calls]
    assert numbers == [[str(i), str(len(calls))] for i in range(len(calls))]
    assert "STREAM" not in source and "COUNT" not in source
