"""Files of the revised MD17 data: the archive, the arrays and the index lists."""

from __future__ import annotations

import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.data.splits import every_nth, read_index_file
from geozoo.files.download import RemoteFile, fetch, remote_files
from geozoo.files.folders import check_writable
from geozoo.files.numpy_arrays import read_npz
from geozoo.files.progress import progress_bar

_ARCHIVE = "rmd17.tar.bz2"
_KEYS = ("nuclear_charges", "coords", "energies", "forces")


def archive_file(mirrors: tuple[str, ...] = ()) -> RemoteFile:
    """The archive and where it is; ``mirrors`` are tried first."""
    file = remote_files("rmd17")[_ARCHIVE]
    return replace(file, urls=(*mirrors, *file.urls))


def molecule_path(folder: Path, molecule: str) -> Path:
    """The arrays of a molecule."""
    return folder / "npz_data" / f"rmd17_{molecule}.npz"


def prepare(folder: Path, molecule: str, archive: RemoteFile, *, download: bool) -> None:
    """Unpack the archive, downloaded if need be, when the arrays of a molecule are not there.

    Raises:
        FileNotFoundError: when there is no archive and the network may not be used.
        ValueError: for an archive that is not the published one, or that lacks the molecule.
    """
    path = molecule_path(folder, molecule)
    if path.is_file():
        return
    try:
        packed = fetch(archive, folder, download=download)
    except FileNotFoundError as error:
        message = f"{path.name} is missing in {path.parent}, and there is no archive: {error}"
        raise FileNotFoundError(message) from None
    unpack(packed, folder)
    if not path.is_file():
        raise ValueError(f"{packed} has no npz_data/{path.name} in its folder rmd17")


def unpack(packed: Path, folder: Path) -> None:
    """Unpack ``rmd17/`` of the archive into ``folder``, which it cannot leave.

    Raises:
        ValueError: for a damaged archive, or one with members that point outside.
    """
    check_writable(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpack-") as work:
        try:
            _extract(packed, Path(work))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"{packed} cannot be unpacked: {error}") from error
        top = Path(work) / "rmd17"
        # Backwards, so that arrays come last: where these are, everything is (see prepare).
        for source in sorted((path for path in top.rglob("*") if path.is_file()), reverse=True):
            target = folder / source.relative_to(top)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)


def _extract(packed: Path, work: Path) -> None:
    size = packed.stat().st_size
    with (
        packed.open("rb") as raw,
        progress_bar(f"Unpacking {packed.name}", size) as advance,
        tarfile.open(fileobj=raw, mode="r:bz2") as archive,
    ):
        done = 0
        for member in archive:
            archive.extract(member, work, filter="data")
            advance(raw.tell() - done)
            done = raw.tell()


def read_molecule(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a molecule, their shapes checked.

    Raises:
        FileNotFoundError: when the file is missing.
        ValueError: for missing arrays, shapes that do not fit together, or a damaged file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing in {path.parent}: call prepare_data()")
    arrays = read_npz(path, _KEYS, optional=["old_indices"])
    frames, atoms = arrays["energies"].size, arrays["nuclear_charges"].size
    shapes = {"nuclear_charges": (atoms,), "coords": (frames, atoms, 3), "energies": (frames,)}
    shapes |= {"forces": (frames, atoms, 3), "old_indices": (frames,)}
    for key, values in arrays.items():
        if values.shape != shapes[key]:
            raise ValueError(f"{path}: {key} must have shape {shapes[key]}, got {values.shape}")
        if key in ("nuclear_charges", "old_indices") and values.dtype.kind not in "iu":
            raise ValueError(f"{path}: {key} must be whole numbers, got {values.dtype}")
    return arrays


def read_split_files(folder: Path, number: int, archive: RemoteFile) -> tuple[Tensor, Tensor]:
    """The rows of the official training and test part of one split.

    Raises:
        FileNotFoundError: when an index file is missing.
        ValueError: for an index file that holds something else.
    """
    parts = []
    for part in ("train", "test"):
        path = folder / "splits" / f"index_{part}_{number:02d}.csv"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path.name} is missing in {path.parent}. It is part of {archive.name} "
                f"(folder rmd17/splits), from {' or '.join(archive.urls)}"
            )
        parts.append(read_index_file(path))
    return parts[0], parts[1]


def every_100th(frames: int, path: Path) -> dict[str, Tensor]:
    """The split of the released PONITA code.

    Every 100th frame is taken, 1000 in all; every 20th of these, from the first on, validates
    (50), the others train (950); all remaining frames test.

    Raises:
        ValueError: when every 100th frame does not make 1000.
    """
    chosen = every_nth(frames, 100)
    if len(chosen) != 1000:
        raise ValueError(
            f"split=every-100 takes 1000 frames, every 100th of about 100000; {path} has {frames} "
            "frames. Use the complete archive or one of the official splits"
        )
    validates = torch.arange(1000) % 20 == 0
    rest = torch.ones(frames, dtype=torch.bool)
    rest[chosen] = False
    return {"train": chosen[~validates], "val": chosen[validates], "test": rest.nonzero()[:, 0]}
