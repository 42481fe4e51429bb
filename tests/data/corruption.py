"""Corrupting files and reading them in a process that may crash."""

from __future__ import annotations

import random
import resource
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from own_process import result_of

#: Memory that a reader may take beyond what the process has: far more than these files need.
_ROOM = 1 << 30
TRUNCATIONS, FLIPS = 50, 200


class Format(NamedTuple):
    """A file format: how to create a file, and how to read it.

    Attributes:
        make: writes what is read into a folder and returns the file that is damaged.
        read: reads it from the folder; ValueError and OSError are its refusals.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]


class Report(NamedTuple):
    """Outcomes for the corrupt files."""

    refused: int
    read: int
    problems: list[str]


def corruptions(content: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Truncated, with one byte flipped, with a zeroed range, and empty versions."""
    draw = random.Random(seed)
    yield "empty", b""
    for place in sorted(draw.sample(range(len(content)), min(TRUNCATIONS, len(content)))):
        yield f"cut at byte {place} of {len(content)}", content[:place]
    for _ in range(FLIPS):
        place, bits = draw.randrange(len(content)), draw.randrange(1, 256)
        changed = bytes([content[place] ^ bits])
        yield f"byte {place} ^ {bits}", content[:place] + changed + content[place + 1 :]
    for _ in range(10):
        start = draw.randrange(len(content))
        size = min(64, len(content) - start)
        yield f"64 zeros at {start}", content[:start] + bytes(size) + content[start + size :]


def try_all(name: str, folder: Path, seed: int = 0) -> Report:
    """Read every corrupt version of a file in a separate process with bounded memory.

    Raises:
        AssertionError: when the process dies, or hangs.
    """
    return result_of(_try_all, name, folder, seed, told=folder / "now.txt")


def _try_all(name: str, folder: Path, seed: int) -> Report:
    from corrupt_formats import FORMATS

    form = FORMATS[name]
    path = form.make(folder)
    content = path.read_bytes()
    form.read(folder)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, used + _ROOM))
    refused, read, problems = 0, 0, []
    for what, damaged in corruptions(content, seed):
        (folder / "now.txt").write_text(what)
        path.write_bytes(damaged)
        before = _listing(folder)
        try:
            form.read(folder)
            read += 1
        except (ValueError, OSError) as error:
            refused += 1
            # Another file of its set may be the first to notice.
            if str(path.parent) not in str(error) and path.name not in str(error):
                problems.append(f"{what}: the message names no file: {error!r}")
        except Exception:
            problems.append(f"{what}: {traceback.format_exc(limit=-3)}")
        left = _listing(folder) - before
        if left:
            problems.append(f"{what}: leaves {sorted(left)}")
    return Report(refused, read, problems)


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
