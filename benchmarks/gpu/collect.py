"""Fill ``.gpu`` with what a bare machine without network access needs: wheels, packed data, commit.

    python -m benchmarks.gpu.collect [--only wheels|data] [--data nbody rmd17] [--out .gpu]

Data come from the shared data (``$GEOZOO_SHARED``, or ``../shared`` next to the checkout); finished
packs are cached in ``~/.cache/geozoo_gpu`` and rebuilt only when their sources change. Existing
files are left alone; packs that are not requested are removed from the folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.gpu._packs import RECIPES, make_pack, missing, source_key
from benchmarks.gpu._wheels import collect_wheels
from benchmarks.gpu.unpack import PACK_SUFFIX

ROOT = Path(__file__).resolve().parents[2]
#: Limit on the total size; the machine accepts 64 MiB.
LIMIT = 60 << 20


class TooLargeError(RuntimeError):
    """Working tree and collected files together exceed the limit; the message gives the sizes."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def shared_folder() -> Path:
    """Where the shared data should be."""
    return Path(os.environ.get("GEOZOO_SHARED", ROOT.parent / "shared")).resolve()


def tree_bytes(root: Path, out: Path) -> int:
    """Size of the files to copy: tracked, and untracked but not ignored, without ``out``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    paths = {root / name for name in done.stdout.split("\0") if name}
    kept = (path for path in paths if path.is_file() and not path.is_relative_to(out))
    return sum(path.lstat().st_size for path in kept)


def folder_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_size(sizes: Mapping[str, int], limit: int) -> None:
    """Refuse what is too large to copy.

    Raises:
        TooLargeError: naming the total and its parts, if it exceeds the limit.
    """
    total = sum(sizes.values())
    if total > limit:
        parts = ", ".join(f"{name} {_mib(size)}" for name, size in sizes.items())
        raise TooLargeError(
            f"{_mib(total)} would travel, {_mib(limit)} may: {parts}. Choose fewer packs by --data"
        )


def choose(names: Sequence[str], sizes: Mapping[str, int], room: int) -> list[str]:
    """The packs that fit, considered in the given order."""
    chosen: list[str] = []
    for name in names:
        if sizes[name] <= room:
            chosen.append(name)
            room -= sizes[name]
    return chosen


def cached_packs(names: Sequence[str], shared: Path, cache: Path, folder: Path) -> dict[str, Path]:
    """Packs by name, built if missing.

    A pack without sources is kept as it is in the folder, or left out if it is not there.
    """
    packs: dict[str, Path] = {}
    for name in names:
        lacks = missing(name, shared)
        if lacks is not None:
            old = folder / f"{name}{PACK_SUFFIX}"
            what = "kept as it is" if old.is_file() else "skipped"
            say(f"{name}: {what}, {lacks} is missing (GEOZOO_SHARED names the shared data)")
            packs |= {name: old} if old.is_file() else {}
            continue
        pack = cache / f"{name}-{source_key(name, shared)}{PACK_SUFFIX}"
        if pack.is_file():
            say(f"{name}: up to date")
        else:
            say(f"{name}: packing" + (" (two to three minutes)" if name == "qm9" else ""))
            begun = time.monotonic()
            make_pack(name, shared, pack)
            say(f"{name}: {_mib(pack.stat().st_size)} in {time.monotonic() - begun:.0f} s")
        packs[name] = pack
    return packs


def place_packs(packs: Mapping[str, Path], chosen: Sequence[str], folder: Path) -> None:
    """Put the chosen packs into a folder, and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{name}{PACK_SUFFIX}": packs[name] for name in chosen}
    for path in folder.glob(f"*{PACK_SUFFIX}"):
        if path.name not in wanted:
            path.unlink()
    for name, pack in wanted.items():
        if not _same(pack, folder / name):
            shutil.copyfile(pack, folder / name)


def collect_data(out: Path, names: Sequence[str] | None, cache: Path) -> None:
    """Put packs into ``out/data``: those requested, or as many as fit."""
    packs = cached_packs(names or list(RECIPES), shared_folder(), cache, out / "data")
    sizes = {name: path.stat().st_size for name, path in packs.items()}
    room = LIMIT - tree_bytes(ROOT, out) - folder_bytes(out) + folder_bytes(out / "data")
    chosen = list(packs) if names else choose(list(packs), sizes, room)
    place_packs(packs, chosen, out / "data")
    for name in packs:
        if name not in chosen:
            say(f"{name}: left out, {_mib(sizes[name])} do not fit; ask for it by --data")


def write_commit(out: Path) -> None:
    """Write the commit hash to a file, since .git is not copied."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (out / "commit").write_text(done.stdout, encoding="utf-8")


def report(out: Path) -> dict[str, int]:
    """Print the sizes of everything to be copied, by part."""
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        say(f"{path.stat().st_size:>12,}  {path.relative_to(out)}")
    sizes = {"tree": tree_bytes(ROOT, out)}
    sizes |= {name: folder_bytes(out / name) for name in ("wheels", "data")}
    for name, size in {**sizes, "in all": sum(sizes.values()), "limit": LIMIT}.items():
        say(f"{size:>12,}  = {name} ({_mib(size)})")
    return sizes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Collect what a bare GPU machine needs.")
    parser.add_argument("--only", choices=("wheels", "data"), help="just one of the two")
    parser.add_argument(
        "--data", nargs="+", choices=list(RECIPES), help="these packs (default: all that fit)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / ".gpu", help="folder (default: .gpu)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "geozoo_gpu")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.only != "data":
        collect_wheels(out / "wheels", say)
    if options.only != "wheels":
        collect_data(out, options.data, options.cache)
    write_commit(out)
    try:
        check_size(report(out), LIMIT)
    except TooLargeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _same(first: Path, second: Path) -> bool:
    return second.is_file() and first.read_bytes() == second.read_bytes()


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


if __name__ == "__main__":
    sys.exit(main())
