"""The settings of a sweep, kept in its folder: another call continues it, or is refused."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geozoo.files.folders import atomic_path
from geozoo.runs.errors import RunError

_NAME = "settings.json"


def claim_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Create the folder of a sweep, or check that it holds the same sweep.

    Args:
        folder: the folder.
        settings: plain values that all runs of the sweep share; models, seeds and sizes are not
            among them, so that more can be added later.

    Raises:
        RunError: If the folder holds something else.
    """
    path, plain = folder / _NAME, json.loads(json.dumps(settings))
    if not path.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise RunError(f"out: {folder} holds other files; choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, plain)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    names = sorted({*before, *plain})
    changed = [name for name in names if before.get(name) != plain.get(name)]
    if changed:
        listed = "; ".join(f"{n}: {before.get(n)!r}, now {plain.get(n)!r}" for n in changed)
        raise RunError(
            f"out: {folder} was made with other settings ({listed}). Choose another folder, or "
            "give the same settings to continue"
        )


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Reject a second call in the same folder while one is running on this machine.

    Raises:
        RunError: If one is running.
    """
    path, own = folder / "running.json", {"host": socket.gethostname(), "process": os.getpid()}
    if path.is_file():
        other = json.loads(path.read_text(encoding="utf-8"))
        is_same = other["process"] == own["process"]
        if other["host"] == own["host"] and not is_same and _is_alive(other["process"]):
            raise RunError(
                f"out: the process {other['process']} is running this sweep in {folder}; wait for "
                "it, or choose another folder"
            )
    write_json(path, own)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # where signal 0 is not a question
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def write_json(path: Path, values: object) -> None:
    """Write a JSON file at once."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
