"""Run folders split into small pieces for transfer."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

#: Bytes per piece; returned files may have up to 16 MiB.
PIECE = 15 * 2**20
#: Files of a run folder that are derived from the rest.
_LEFT_OUT = (".png", ".html")


def pack_run(folder: Path, out: Path, name: str) -> list[Path]:
    """Pack a run folder, without its pictures, as ``<name>.tar.xz.0``, ``.1``, ...

    Args:
        folder: the run folder.
        out: output folder of the pieces.
        name: of the run.

    Returns:
        The pieces.
    """

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if member.name.endswith(_LEFT_OUT) else member

    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole.tar.xz"
        with tarfile.open(whole, "w:xz", preset=1) as archive:
            archive.add(folder, name, filter=kept)
        content = whole.read_bytes()
    pieces = []
    for number, start in enumerate(range(0, len(content), PIECE)):
        piece = out / f"{name}.tar.xz.{number}"
        piece.write_bytes(content[start : start + PIECE])
        pieces.append(piece)
    return pieces


def pieces_of(folder: Path, name: str) -> list[Path]:
    """The pieces of a run anywhere below a folder, in order."""
    return sorted(folder.rglob(f"{name}.tar.xz.*"), key=lambda path: int(path.suffix[1:]))


def unpack_run(source: Path, name: str, folder: Path) -> bool:
    """Restore a run folder from its pieces; False if there are none."""
    pieces = pieces_of(source, name)
    if not pieces:
        return False
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole.tar.xz"
        whole.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        with tarfile.open(whole) as archive:
            archive.extractall(place, filter="data")
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(place) / name, folder)
    return True
