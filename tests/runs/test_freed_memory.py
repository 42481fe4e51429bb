"""Holes that freed tensors leave go back to the system."""

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from geozoo.cli import main
from geozoo.machine import freed_memory as _freed_memory
from geozoo.machine.freed_memory import keep_freed_memory, return_freed_memory
from geozoo.runs.freed_memory import FreedMemory

MIB = 2**20
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_holes_are_handed_back():
    # Small enough to lie side by side in the heap; every second one stays.
    tensors = [torch.ones(16 * 1024) for _ in range(8000)]
    kept = tensors[::2]
    del tensors
    before = resident()
    return_freed_memory()
    assert before - resident() > 100 * MIB
    assert all(bool((tensor == 1).all()) for tensor in kept)


@pytest.mark.parametrize(
    ("pause", "device", "kept", "times"),
    [(0, "cpu", True, 3), (60, "cpu", True, 0), (0, "cuda", True, 0), (0, "cpu", False, 0)],
)
def test_it_happens_after_a_pause_on_a_cpu(pause, device, kept, times, monkeypatch):
    calls = []
    monkeypatch.setattr(_freed_memory, "return_freed_memory", lambda: calls.append(1))
    monkeypatch.setattr(_freed_memory._kept, "since", time.monotonic() if kept else None)
    callback = FreedMemory(pause=pause)
    module = SimpleNamespace(device=torch.device(device))
    for stage in ("train", "validation", "test"):
        getattr(callback, f"on_{stage}_batch_end")(None, module, None, None, 0)
    assert len(calls) == times


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(_freed_memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    return_freed_memory()
    assert not keep_freed_memory()


FAULTS = """
import resource, torch
from geozoo.machine.freed_memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(), faults()
by_itself = faults()
kept = keep_freed_memory()
faults(), faults()
print(int(kept), by_itself, min(faults() for _ in range(20)))
"""


def run(program, **variables):
    """The numbers that a program prints in its own process."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GEOZOO_MALLOC"))}
    own.pop("GLIBC_TUNABLES", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env=own | variables,
    )  # fmt: skip
    return list(map(int, done.stdout.split()))


@pytest.mark.thorough
@glibc
def test_large_blocks_are_kept_for_the_next_step():
    kept, by_itself, afterwards = run(FAULTS)
    assert kept
    assert by_itself > 100
    assert afterwards < by_itself / 10


ASKED = "from geozoo.machine.freed_memory import keep_freed_memory as keep; print(int(keep()))"


@glibc
@pytest.mark.parametrize(
    ("variables", "kept"),
    [
        ({"GEOZOO_MALLOC": "keep"}, True),
        ({"GEOZOO_MALLOC": "default"}, False),
        ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False),
        ({"MALLOC_CONF": "background_thread:true"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.tcache_count=7"}, False),
        ({"GLIBC_TUNABLES": "glibc.rtld.nns=4"}, True),
    ],
)
def test_settings_of_the_environment_are_left_alone(variables, kept):
    assert run(ASKED, **variables) == [int(kept)]


@glibc
@pytest.mark.skipif(shutil.which("cc") is None, reason="compiles a library")
def test_another_allocator_is_left_alone(tmp_path):
    library = tmp_path / "allocator.so"
    code = "#include <stddef.h>\nvoid *__libc_malloc(size_t);\n"
    code += "void *malloc(size_t size) { return __libc_malloc(size); }\n"
    command = ["cc", "-shared", "-fPIC", "-fno-builtin", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=code, text=True, check=True)
    assert run(ASKED, LD_PRELOAD=str(library)) == [0]


def test_an_unknown_setting_is_named(monkeypatch):
    monkeypatch.setenv("GEOZOO_MALLOC", "no")
    with pytest.raises(ValueError, match=r'GEOZOO_MALLOC must be "keep" or "default", got \'no\''):
        keep_freed_memory()


@pytest.mark.thorough
def test_importing_the_library_changes_nothing():
    program = """
import geozoo, geozoo.models, geozoo.engines.ase, geozoo.runs.freed_memory
from geozoo.machine.freed_memory import _kept
print(int(_kept.since is not None))
"""
    assert run(program) == [0]


@pytest.mark.parametrize(
    ("command", "kept"), [("predict", True), ("evaluate", True), ("sample", True), ("list", False)]
)
def test_commands_that_run_networks_keep_memory(command, kept, monkeypatch):
    calls = []
    monkeypatch.setattr(main, "keep_freed_memory", lambda: calls.append(1))
    monkeypatch.setattr(main, "read", lambda *given: None)
    done = SimpleNamespace(**{main._COMMANDS[command].function: lambda *given: None})
    monkeypatch.setattr(main, "import_module", lambda name: done)
    main.run_command(command, [])
    assert bool(calls) == kept
