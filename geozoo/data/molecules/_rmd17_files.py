"""Files of the revised MD17 dataset: the archive, the arrays and the index lists."""

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
    """The archive and its URLs; ``mirrors`` are tried first."""
    file = remote_files("rmd17")[_ARCHIVE]
    return replace(file, urls=(*mirrors, *file.urls))


def molecule_path(folder: Path, molecule: str) -> Path:
    """Path of the arrays of a molecule."""
    return folder / "npz_data" / f"rmd17_{molecule}.npz"


def prepare(folder: Path, molecule: str, archive: RemoteFile, *, download: bool) -> None:
    """Unpack the archive, downloading it if necessary, unless the molecule's arrays exist.

    Raises:
        FileNotFoundError: If there is no archive and the network may not be used.
        ValueError: If the archive is not the published one, or lacks the molecule.
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
        raise ValueError(f"{packed} does not contain rmd17/npz_data/{path.name}")


def unpack(packed: Path, folder: Path) -> None:
    """Unpack ``rmd17/`` of the archive into ``folder``; members cannot escape from it.

    Raises:
        ValueError: If the archive is corrupt or has members that point outside the folder.
    """
    check_writable(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpack-") as work:
        try:
            _extract(packed, Path(work))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"{packed} cannot be unpacked: {error}") from error
        top = Path(work) / "rmd17"
        # In reverse order, so that the arrays come last: if they exist, everything does.
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
    """The arrays of a molecule, with validated shapes.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is corrupt, arrays are missing, or their shapes are inconsistent.
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
    """The official training and test rows of one split.

    Raises:
        FileNotFoundError: If an index file is missing.
        ValueError: If an index file is malformed.
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

    Every 100th frame is selected, 1000 in total: every 20th of these, starting with the first, is
    for validation (50), the others for training (950); all remaining frames are the test set.

    Raises:
        ValueError: If every 100th frame does not give 1000 frames.
    """
    chosen = every_nth(frames, 100)
    if len(chosen) != 1000:
        raise ValueError(
            f"split=every-100 requires about 100000 frames (1000 after taking every 100th), but "
            f"{path} has {frames}. Use the complete archive or one of the official splits"
        )
    validates = torch.arange(1000) % 20 == 0
    rest = torch.ones(frames, dtype=torch.bool)
    rest[chosen] = False
    return {"train": chosen[~validates], "val": chosen[validates], "test": rest.nonzero()[:, 0]}
