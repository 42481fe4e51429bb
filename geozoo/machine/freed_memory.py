"""Freed memory of the C library on Linux: kept for the next allocation, returned on request.

By default glibc returns every freed block above 32 MiB to the system at once, and the system clears
its pages when they are allocated again: up to half of the CPU time where tensors are large. The
commands of geozoo keep freed memory instead (`keep_freed_memory`). The price is fragmentation: peak
memory grows by 20 to 50 percent. ``GEOZOO_MALLOC=default`` leaves the C library as it is.

Importing geozoo changes nothing. A script that evaluates large systems on a CPU, for instance
molecular dynamics with `geozoo.engines.ase.GeozooCalculator`, calls `keep_freed_memory` once.
"""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass

#: Environment variable: ``keep`` (the default) or ``default``.
MALLOC_VARIABLE = "GEOZOO_MALLOC"
#: Parameters of mallopt and their values: when to trim the heap (never), by how much to extend it
#: beyond what is needed, and the smallest block outside of it.
_SETTINGS = ((-1, -1), (-2, 64 << 20), (-3, 2**31 - 1))


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for later allocations of this process.

    Without effect where the C library is not glibc, where another allocator is loaded (jemalloc,
    tcmalloc), where the environment configures an allocator (``MALLOC_...``, or ``glibc.malloc`` in
    ``GLIBC_TUNABLES``), and with ``GEOZOO_MALLOC=default``. Freed memory is then available to this
    process only, until `return_freed_memory`.

    Returns:
        Whether freed memory is kept.

    Raises:
        ValueError: If ``GEOZOO_MALLOC`` is neither ``keep`` nor ``default``.
    """
    if not may_keep():
        return False
    keeps = all([_call("mallopt", *setting) for setting in _SETTINGS])
    if keeps and _kept.since is None:
        _kept.since = time.monotonic()
    return keeps


def may_keep() -> bool:
    """Whether `keep_freed_memory` has an effect; see there."""
    chosen = os.environ.get(MALLOC_VARIABLE, "keep")
    if chosen not in ("keep", "default"):
        raise ValueError(f'{MALLOC_VARIABLE} must be "keep" or "default", got {chosen!r}')
    configured = any(name.startswith("MALLOC_") for name in os.environ)
    configured = configured or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    return chosen == "keep" and not configured and _allocates_with_glibc()


def return_freed_memory() -> None:
    """Return freed memory to the system, if the C library supports that."""
    _call("malloc_trim", 0)


def return_kept_memory(pause: float = 30.0) -> None:
    """Return freed memory that `keep_freed_memory` keeps, at most once per pause; call it often.

    If memory is never returned, batches of different sizes fragment it, and the memory of the
    process grows over hours to several times what it uses.

    Args:
        pause: minimum number of seconds between two returns; one takes a few tenths of a second.
    """
    if _kept.since is not None and time.monotonic() - _kept.since >= pause:
        return_freed_memory()
        _kept.since = time.monotonic()


@dataclass
class _Kept:
    """Time from which this process keeps freed memory; None: it does not."""

    since: float | None = None


_kept = _Kept()


class _Symbol(ctypes.Structure):
    """``Dl_info``: the file that defines a symbol."""

    _fields_ = [
        ("file", ctypes.c_char_p), ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p), ("address", ctypes.c_void_p),
    ]  # fmt: skip


def _allocates_with_glibc() -> bool:
    """Whether this is glibc and ``malloc`` is its own: a preloaded allocator replaces it."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  absent from other C libraries
        own, used = _Symbol(), _Symbol()
        library.dladdr(library.gnu_get_libc_version, ctypes.byref(own))
        library.dladdr(library.malloc, ctypes.byref(used))
    except (AttributeError, OSError, TypeError):
        return False
    return own.file is not None and own.file == used.file


def _call(name: str, *numbers: int) -> bool:
    """Call a function of glibc, and return whether it succeeded."""
    try:
        return bool(getattr(ctypes.CDLL(None), name)(*numbers))
    except (AttributeError, OSError, TypeError):
        return False  # not glibc
