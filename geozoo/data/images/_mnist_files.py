"""The idx files of MNIST."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from geozoo.files.download import fetch, remote_files
from geozoo.files.errors import corrupt_file_errors

#: MD5 of the uncompressed files, independent of how they were compressed.
_CONTENT = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_PARTS = {"train": "train", "test": "t10k"}
_SIZE = 28
#: Limit for an uncompressed file; the largest one has 47 MB.
_MAX_BYTES = 1 << 27


def read_mnist(
    folder: Path, part: str, *, download: bool, mirrors: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Images ``[S, 28, 28]`` uint8 and labels ``[S]`` of the ``"train"`` or ``"test"`` set.

    The folder is searched, and its subfolder ``MNIST/raw``, where torchvision stores the files;
    they may be compressed (``.gz``) or not.

    Args:
        folder: the folder ``mnist``.
        part: ``"train"`` or ``"test"``.
        download: whether missing files may be downloaded.
        mirrors: base URLs of the files, tried first.

    Raises:
        FileNotFoundError: If files are missing and may not be downloaded.
        ValueError: If files are corrupt, or images have another size.
    """
    prefix = _PARTS[part]
    images = _read(folder, f"{prefix}-images-idx3-ubyte", download, mirrors)
    labels = _read(folder, f"{prefix}-labels-idx1-ubyte", download, mirrors)
    if images.ndim != 3 or images.shape[1:] != (_SIZE, _SIZE):
        raise ValueError(
            f"{folder}: {prefix}-images-idx3-ubyte must have {_SIZE} x {_SIZE} pixels, got "
            f"{images.shape[1:]}"
        )
    if labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
        raise ValueError(
            f"{folder}: {prefix}-labels-idx1-ubyte must hold {len(images)} labels in 0..9, got "
            f"shape {labels.shape} with maximum {labels.max(initial=0)}"
        )
    return images, labels


def read_both_parts(
    folder: Path, *, download: bool, mirrors: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray, int]:
    """Images ``[S, 28, 28]`` and labels ``[S]`` int64, training set first, and its size.

    See `read_mnist` for arguments and errors.
    """
    parts = [
        read_mnist(folder, part, download=download, mirrors=mirrors) for part in ("train", "test")
    ]
    images, labels = (np.concatenate(values) for values in zip(*parts, strict=True))
    return images, labels.astype(np.int64), len(parts[0][0])


def _read(folder: Path, name: str, download: bool, mirrors: Sequence[str]) -> np.ndarray:
    folders = [folder, folder / "MNIST" / "raw"]
    known = [each / f"{name}{end}" for each in folders for end in ("", ".gz")]
    path = next((path for path in known if path.is_file()), None)
    if path is None:
        file = remote_files("mnist_superpixels_slic")[f"{name}.gz"]
        further = [f"{mirror.rstrip('/')}/{file.name}" for mirror in mirrors]
        file = replace(file, urls=(*further, *file.urls))
        path = fetch(file, folder, download=download)
    content = _unpacked(path)
    _check_content(content, name, path)
    return _array(content, path)


def _check_content(content: bytes, name: str, path: Path) -> None:
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != _CONTENT[name]:
        raise ValueError(f"{path} is corrupt: its MD5 is not that of MNIST's {name}")


def _unpacked(path: Path) -> bytes:
    with corrupt_file_errors(path, "truncated"):
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"{path} is larger than {_MAX_BYTES} bytes, too large for MNIST")
    return content


def _array(content: bytes, path: Path) -> np.ndarray:
    """Parse idx: two zeros, the type (8: bytes), the number of axes, their sizes, the data."""
    axes = content[3] if len(content) >= 4 else 0
    if content[:3] != b"\0\0\x08" or not 1 <= axes <= 3 or len(content) < 4 + 4 * axes:
        raise ValueError(f"{path} is not an idx file of bytes")
    shape = tuple(np.frombuffer(content, ">u4", axes, offset=4).astype(np.int64).tolist())
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"{path} must hold {shape} bytes, got {values.size}")
    return values.reshape(shape)
