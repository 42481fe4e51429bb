"""The 75-node superpixels through PyTorch Geometric's own class."""

from __future__ import annotations

import pickle
from itertools import chain
from pathlib import Path

import torch

from geozoo.data.download import is_offline
from geozoo.data.store import GraphStore

_RAW = "MNISTSuperpixels.pt"
_SOURCE = "https://data.pyg.org/datasets/MNISTSuperpixels.zip"


def read_superpixels(folder: Path, *, download: bool) -> tuple[GraphStore, int]:
    """All graphs with self-loops, and how many of them are the training part.

    PyTorch Geometric falls back to full unpickling where a file needs it, which could run anything;
    so every file is first read by torch with weights only.

    Args:
        folder: where PyTorch Geometric keeps ``raw`` and ``processed``.
        download: whether it may download the raw file.

    Raises:
        FileNotFoundError: when the raw file is missing and the network may not be used.
        ValueError: for a file that holds anything but tensors in lists and dicts, or is damaged.
    """
    from torch_geometric.datasets import MNISTSuperpixels
    from torch_geometric.transforms import AddSelfLoops

    path = folder / "raw" / _RAW
    if not path.is_file() and (is_offline() or not download):
        raise FileNotFoundError(
            f"{path} is missing, and the network may not be used. Fetch {_SOURCE}, unpack it and "
            f"put {_RAW} there"
        )
    _check(path)
    for name in ("train_data.pt", "test_data.pt"):
        _check(folder / "processed" / name)
    train, test = (
        MNISTSuperpixels(str(folder), train=is_train, transform=AddSelfLoops())
        for is_train in (True, False)
    )
    _check(path)
    return GraphStore.from_pyg(chain(train, test)), len(train)


def _check(path: Path) -> None:
    if not path.is_file():
        return
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged, or holds more than tensors in lists and dicts: {error}"
        ) from error
