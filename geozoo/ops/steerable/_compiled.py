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

from geozoo.ops.steerable._generated import driver_source, kind_source
from geozoo.ops.steerable.paths import SteerablePaths

_LOG = logging.getLogger(__name__)
_LOCK = threading.Lock()


class Kernels(NamedTuple):
    """Loops over edges: the sum, its gradients, and the gradients of these."""

    forward: Callable[..., None]
    backward: Callable[..., None]
    double: Callable[..., None]


@lru_cache(maxsize=1)
def has_numba() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def kernels_of(paths: SteerablePaths, dtype: str) -> Kernels:
    """The compiled kernels of some paths.

    The first call of a kernel compiles it, for seconds, once for all later processes.

    Args:
        paths: the paths.
        dtype: ``"float32"`` or ``"float64"``.
    """
    with _LOCK:
        return _kernels_of(paths, dtype)


@lru_cache(maxsize=256)
def _kernels_of(paths: SteerablePaths, dtype: str) -> Kernels:
    names, is_new = {}, False
    for kind in paths.kinds:
        module, new = _module(kind_source(kind, dtype), f"kind_{dtype}")
        names[kind], is_new = module.__name__, is_new or new
    module, new = _module(driver_source(paths, names, dtype), f"paths_{dtype}")
    if is_new or new:
        _LOG.info("compiling kernels for steerable features once, into %s", folder())
    return Kernels(module.forward, module.backward, module.double)


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


def _module(source: str, kind: str) -> tuple[ModuleType, bool]:
    """The module of a source text, and whether its file is new."""
    name = f"geozoo_{kind}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name], False
    path = folder() / f"{name}.py"
    is_new = not path.is_file() or path.read_text(encoding="utf-8") != source
    if is_new:
        with tempfile.NamedTemporaryFile("w", dir=folder(), delete=False, encoding="utf-8") as file:
            file.write(source)
        os.replace(file.name, path)  # another process may write the same file
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module, is_new
