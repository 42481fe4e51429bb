"""Reading arrays from external NumPy files."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from geozoo.files.contents import report_contents
from geozoo.files.errors import corrupt_file_errors

#: Bytes of the longest text that is read.
_LONGEST_TEXT = 4096
_NO_ARCHIVE = "not an npz file of plain arrays"


def read_npz(
    path: str | Path, names: Sequence[str] | None = None, *, optional: Sequence[str] = (),
    is_reported: bool = True,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Read arrays of real numbers from an ``.npz`` file; nothing is unpickled.

    No array takes more memory than its bytes in the file, whatever shape it declares.

    Args:
        path: the file.
        names: required arrays; None: all arrays in the file.
        optional: arrays that are read if present.
        is_reported: whether to log the names of arrays that are not read.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, not an npz file, or lacks an array.
    """
    path = Path(path)
    with corrupt_file_errors(path, _NO_ARCHIVE), _archive(path) as archive:
        members = _members(archive)
        wanted = list(members) if names is None else list(names)
        missing = [name for name in wanted if name not in members]
        if missing:
            raise ValueError(
                f"it lacks {', '.join(missing)}; it has {', '.join(members) or 'nothing'}"
            )
        wanted += [name for name in optional if name in members and name not in wanted]
        if is_reported and (unread := members.keys() - wanted):
            report_contents(path.name, wanted, unread)
        return {name: _member(archive, members[name]) for name in wanted}


def npz_names(path: str | Path) -> list[str]:
    """Names of all arrays in an ``.npz`` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt or not an npz file.
    """
    path = Path(path)
    with corrupt_file_errors(path, _NO_ARCHIVE), _archive(path) as archive:
        return list(_members(archive))


def npz_text(path: str | Path, name: str) -> str:
    """A short text that an ``.npz`` file holds as an array of one element.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, or the array is not a text.
    """
    path = Path(path)
    with corrupt_file_errors(path, _NO_ARCHIVE), _archive(path) as archive:
        info = archive.getinfo(_members(archive)[name])
        if info.file_size > _LONGEST_TEXT:
            raise ValueError(f"{name} is too long for a text")
        with archive.open(info) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        if array.dtype.kind not in "US" or array.size != 1:
            raise ValueError(f"{name} must be a text, got {array.dtype} {array.shape}")
        value = array.reshape(-1)[0]
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def read_npy(path: str | Path, *, mmap: bool = False) -> np.ndarray:
    """Read an array of real numbers from an ``.npy`` file; nothing is unpickled.

    Args:
        path: the file.
        mmap: memory-map the file instead of reading it.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt or not an npy file.
    """
    path = Path(path)
    with corrupt_file_errors(path, "not a complete .npy file of numbers"):
        with path.open("rb") as file:
            _check_size(file, path.stat().st_size)
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name of the archive member of each array."""
    return {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}


def _archive(path: Path) -> zipfile.ZipFile:
    with path.open("rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
            raise ValueError("it is a single array, not an npz file")
    return zipfile.ZipFile(path)


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(name)
    try:
        with archive.open(info) as file:
            _check_size(file, info.file_size)
        with archive.open(info) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            while file.read(1 << 20):  # to the end, where zipfile verifies the checksum
                pass
            return array
    except Exception as error:  # as in corrupt_file_errors
        raise ValueError(f"{name}: {str(error) or type(error).__name__}") from error


def _check_size(file: IO[bytes], size: int) -> None:
    """Reject a header whose declared size differs from the file's, before allocating memory."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"npy format {version[0]}.{version[1]} is not supported")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not supported")
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {dtype}, expected real numbers")
    declared, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or declared != there:
        raise ValueError(f"it declares {dtype} of shape {shape} but holds {there} bytes")
