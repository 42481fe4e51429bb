"""Reading the 75-node superpixels through PyTorch Geometric."""

from __future__ import annotations

import zipfile
from itertools import chain
from pathlib import Path

from geozoo.data.store import GraphStore
from geozoo.files.download import fetch, is_offline, remote_files
from geozoo.files.errors import read_tensors
from geozoo.files.folders import atomic_path

_RAW = "MNISTSuperpixels.pt"
_SOURCE = "https://data.pyg.org/datasets/MNISTSuperpixels.zip"


def read_superpixels(folder: Path, *, download: bool) -> tuple[GraphStore, int]:
    """All graphs, with self-loops, and the size of the training set.

    PyTorch Geometric falls back to full unpickling, which can execute arbitrary code. The raw file
    is therefore downloaded here, and every file is first read with ``weights_only=True``.

    Args:
        folder: parent of PyTorch Geometric's folders ``raw`` and ``processed``.
        download: whether the raw file may be downloaded.

    Raises:
        FileNotFoundError: If the raw file is missing and the network may not be used.
        ValueError: If a file is corrupt or holds anything but tensors in lists and dicts.
    """
    from torch_geometric.datasets import MNISTSuperpixels
    from torch_geometric.transforms import AddSelfLoops

    path = folder / "raw" / _RAW
    if not path.is_file() and (is_offline() or not download):
        raise FileNotFoundError(
            f"{path} is missing, and downloads are disabled. Download {_SOURCE}, unpack it and put "
            f"{_RAW} there"
        )
    if not path.is_file():
        _fetch_raw(folder, path)
    _check(path)
    for name in ("train_data.pt", "test_data.pt"):
        _check(folder / "processed" / name)
    train, test = (
        MNISTSuperpixels(str(folder), train=is_train, transform=AddSelfLoops())
        for is_train in (True, False)
    )
    return GraphStore.from_pyg(chain(train, test)), len(train)


def _fetch_raw(folder: Path, path: Path) -> None:
    """Put the raw file where PyTorch Geometric expects it, before it would download it itself."""
    packed = fetch(remote_files("mnist_superpixels")["MNISTSuperpixels.zip"], folder)
    try:
        with zipfile.ZipFile(packed) as archive, atomic_path(path) as partial:
            partial.write_bytes(archive.read(_RAW))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{packed} is corrupt or lacks {_RAW}: {error}") from error


def _check(path: Path) -> None:
    if path.is_file():
        read_tensors(path)
