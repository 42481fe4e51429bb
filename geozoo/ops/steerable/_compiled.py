"""Compilation of generated kernels with numba, cached on disk."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from geozoo.ops.steerable._generated import DRIVER, MEMORY, kind_source, numbers_of, work_of
from geozoo.ops.steerable.paths import SteerablePaths

_LOG = logging.getLogger(__name__)
_LOCK = threading.Lock()


def _unlock() -> None:
    """A forked process has a lock of its own: nobody would release that of its parent."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Kernel(NamedTuple):
    """A compiled loop over edges.

    Attributes:
        run: called with the next three, as ``run(kernels, arrays, edges, numbers, scales, begin,
            end)``; ``arrays`` and ``edges`` hold addresses.
        kernels: address of the kernel of each path.
        numbers: see `numbers_of`.
        scales: factor of each path.
        work: multiplications of an edge.
    """

    run: Callable[..., None]
    kernels: np.ndarray
    numbers: np.ndarray
    scales: np.ndarray
    work: int


@lru_cache(maxsize=1)
def has_numba() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def kernel_of(paths: SteerablePaths, loop: str, dtype: str) -> Kernel:
    """The compiled loop of some paths.

    The first call compiles it, for seconds, once for all later processes.

    Args:
        paths: the paths.
        loop: ``"forward"``, ``"backward"`` (gradients) or ``"double"`` (gradients of these).
        dtype: ``"float32"`` or ``"float64"``.
    """
    with _LOCK:
        return _kernel_of(paths, loop, dtype)


@lru_cache(maxsize=1024)
def _kernel_of(paths: SteerablePaths, loop: str, dtype: str) -> Kernel:
    driver = _module(DRIVER, "driver")
    memory = _module(MEMORY, "memory").__name__
    sources = {kind: kind_source(kind, loop, dtype, memory) for kind in paths.kinds}
    prefix = f"{loop}_{dtype}"
    if any(not _is_compiled(_name(source, prefix)) for source in sources.values()):
        _announce()
    modules = {kind: _module(source, prefix) for kind, source in sources.items()}
    kernels = [modules[path.kind].kernel.address for path in paths.paths]
    return Kernel(
        driver.run, np.array(kernels, np.int64), np.array(numbers_of(paths), np.int64),
        np.array([path.scale for path in paths.paths]), work_of(paths, loop),
    )  # fmt: skip


@lru_cache(maxsize=1)
def folder() -> Path:
    """Folder of generated and compiled kernels: ``GEOZOO_KERNELS``, or the user's cache folder.

    A temporary folder if that cannot be written to.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = Path(os.environ.get("GEOZOO_KERNELS") or Path(cache) / "geozoo" / "kernels")
    chosen = chosen.expanduser()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=chosen):
            pass
    except OSError:
        chosen = Path(tempfile.mkdtemp(prefix="geozoo_kernels_"))
        _LOG.warning("kernels cannot be kept: set GEOZOO_KERNELS to a folder that can be written")
    return chosen


@lru_cache(maxsize=1)
def _announce() -> None:
    """Once per process, where a library's user sees it: the process seems to hang otherwise."""
    _LOG.warning(
        "compiling kernels for steerable features: some seconds, once for this machine, kept in %s",
        folder(),
    )


@lru_cache(maxsize=1)
def _machine() -> str:
    """What compiled code depends on, besides its source."""
    import numba
    from llvmlite import binding

    return f"numba {numba.__version__}, {binding.get_host_cpu_name()}"


def _name(source: str, kind: str) -> str:
    """Name of the module of a source text."""
    text = f"{_machine()}\n{source}"
    return f"geozoo_{kind}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _is_compiled(name: str) -> bool:
    """Whether this or an earlier process compiled the kernel of a module."""
    return name in sys.modules or any((folder() / "__pycache__").glob(f"{name}.*.nbc"))


def generated(source: str, kind: str) -> ModuleType:
    """The module of a source text, whose functions are compiled when they are first called.

    Args:
        source: the text.
        kind: part of the module's name.
    """
    with _LOCK:
        if not _is_compiled(_name(source, kind)):
            _announce()
        return _module(source, kind)


def _module(source: str, kind: str) -> ModuleType:
    """The module of a source text for numba."""
    return _written(source, _name(source, kind))


def module_of(source: str, name: str) -> ModuleType:
    """The module of a source text, which is written to the folder of kernels.

    Args:
        source: the text.
        name: of the module, different for every text.
    """
    with _LOCK:
        return _written(source, name)


def _written(source: str, name: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    path = folder() / f"{name}.py"
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        with tempfile.NamedTemporaryFile("w", dir=folder(), delete=False, encoding="utf-8") as file:
            file.write(source)
        os.replace(file.name, path)  # another process may write the same file
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # interrupted while it compiled
        del sys.modules[name]
        raise
    return module
