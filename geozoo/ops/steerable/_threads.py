"""Work on several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor


class _Pool:
    """Threads of this process, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._count = 0

    def start(self, works: Sequence[Callable[[], None]]) -> list[Future[None]]:
        """Start some work, each on a thread."""
        with self._lock:
            if self._threads is None or self._count < len(works):
                if self._threads is not None:
                    self._threads.shutdown(wait=False)  # what it was given still runs
                self._threads = ThreadPoolExecutor(len(works), thread_name_prefix="geozoo")
                self._count = len(works)
            return [self._threads.submit(work) for work in works]


_POOL = _Pool()


def _forget() -> None:
    """A forked process has none of the threads, and perhaps a lock that nobody will release."""
    global _POOL
    _POOL = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run_all(works: Sequence[Callable[[], None]]) -> None:
    """Run some work, the first on this thread and the others beside it, to the end of all.

    Args:
        works: must not call this function.
    """
    first, *others = works
    started = _POOL.start(others) if others else []
    try:
        first()
    finally:
        for future in started:
            future.exception()  # all have ended, whatever happens
    for future in started:
        future.result()
