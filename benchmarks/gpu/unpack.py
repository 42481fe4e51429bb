"""Restore the copied data: packs of `benchmarks.gpu.collect` into a data folder.

python -m benchmarks.gpu.unpack .gpu/data TARGET

Needs only Python and numpy. Packs are unpacked in parallel, and every file is verified
against the checksum that it had when it was packed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.gpu._coded_files import SUFFIX, decode_file
from benchmarks.gpu._qm9_pack import QM9_SUFFIX, decode_qm9

#: Suffix of a pack.
PACK_SUFFIX = ".tar.xz"
#: The member with the checksums of all files.
MANIFEST = "manifest.json"
_DECODERS = {SUFFIX: decode_file, QM9_SUFFIX: decode_qm9}


class PackError(RuntimeError):
    """A pack cannot be unpacked; the message names it and the reason."""


def unpack(pack: Path, target: Path) -> int:
    """Restore the files of a pack below a folder, which no member can leave; return their bytes.

    Raises:
        PackError: for a corrupt pack, or one with members that point outside the folder.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".unpack-") as work:
        folder = Path(work).resolve()
        try:
            with tarfile.open(pack, "r:xz") as archive:
                archive.extractall(folder, filter="data")
            sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            return sum(_restore(folder, name, sums[name], target) for name in sorted(sums))
        except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
            raise PackError(f"{pack} cannot be unpacked: {error}") from error


def _restore(folder: Path, name: str, checksum: str, target: Path) -> int:
    """Decode a file if it is encoded, verify it, and move it into place."""
    source = (folder / name).resolve()
    if not source.is_relative_to(folder):
        raise ValueError(f"{name} of its manifest points outside")
    for suffix, decode in _DECODERS.items():
        coded = source.with_name(source.name + suffix)
        if coded.is_file():
            source.write_bytes(decode(coded.read_bytes()))
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError(f"{name} is not what was packed")
    place = target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    source.replace(place)
    return len(content)


def unpack_all(packs: Path, target: Path) -> dict[str, int]:
    """Restore all packs of a folder in parallel processes; return bytes by name of the pack.

    Raises:
        PackError: for a pack that cannot be unpacked.
    """
    # The largest first, as it takes longest.
    found = sorted(packs.glob(f"*{PACK_SUFFIX}"), key=lambda path: -path.stat().st_size)
    sizes = {}
    with ProcessPoolExecutor(max_workers=min(len(found), os.cpu_count() or 1) or 1) as pool:
        jobs = {path: pool.submit(unpack, path, target) for path in found}
        for path, job in jobs.items():
            sizes[path.name.removesuffix(PACK_SUFFIX)] = job.result()
    return sizes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Restore packed data.")
    parser.add_argument("packs", type=Path, help="folder of packs, .gpu/data")
    parser.add_argument("target", type=Path, help="folder of all data sets, $GEOZOO_DATA")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    try:
        sizes = unpack_all(options.packs, options.target)
    except PackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sorted(sizes.items()))
    seconds = time.monotonic() - begun
    sys.stdout.write(f"unpacked {text or 'nothing'} in {seconds:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
