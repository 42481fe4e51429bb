"""Work in a process of its own, which may die of it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Its processes are forked from one that has imported what is slow, and has computed nothing yet.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["lightning", "torch_geometric", "geozoo.cli.train", "geozoo.hub", "ase.io"]
)
_PATIENCE_S = 1800


def result_of(work: Callable[..., Any], *arguments: Any, told: Path) -> Any:
    """What a function returns, called in a new process.

    Args:
        work: a function of a module.
        arguments: its arguments, which are pickled.
        told: file in which it writes what it is about to do.

    Raises:
        AssertionError: when the process dies or hangs; says with what.
    """
    near, far = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_send, args=(far, work, arguments))
    process.start()
    far.close()
    try:
        assert near.poll(_PATIENCE_S), f"it hangs with: {told.read_text()}"
        return near.recv()
    except EOFError:
        process.join()
        last = told.read_text()
        raise AssertionError(f"the process died ({process.exitcode}) with: {last}") from None
    finally:
        process.kill()
        process.join()


def lose_right_to_write() -> None:
    """Let the permissions of files count for this process even where root runs it."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # Linux, capset(2): version 3 of the interface has two words for each of the three sets.
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    for word in range(2):
        sets[word] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, effective and permitted
    assert libc.capset(header, sets) == 0


def _send(far: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    far.send(work(*arguments))
