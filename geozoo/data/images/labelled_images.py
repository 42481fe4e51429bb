"""Your own labelled images, in two or three dimensions."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.images.image_store import ImageStore
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.files.numpy_arrays import read_npz

_PARTS = ("train", "val", "test")
#: A last axis larger than this is a spatial axis rather than channels.
_MOST_CHANNELS = 4


class LabelledImages(GraphDataModule):
    """Images or volumes of equal size from an npz file, as regular grids.

    The file has the arrays ``train_images`` and ``train_labels``, and the same for ``val`` and
    ``test``, in the layout of MedMNIST. Images are ``[S, H, W]`` or ``[S, D, H, W]``, optionally
    with a last axis of up to four channels; uint8 is scaled from 0..255 to 0..1, other dtypes are
    unchanged. Labels are class indices from 0, ``[S]`` or ``[S, 1]``.

    ========== ============ ======= ========================================================
    field      shape        dtype   meaning
    ========== ============ ======= ========================================================
    ``pos``    ``[N, dim]`` float32 pixel position from the image centre, x to the right, y up
    ``x``      ``[N, C]``   float32 channel values
    ``y``      ``[G]``      int64   class label
    ========== ============ ======= ========================================================

    Args:
        path: the npz file; nothing in it is executed.
        loader: batch sizes, shuffling and device placement.

    Reference:
        J. Yang et al., MedMNIST v2, Scientific Data 10, 2023 (layout of the files).
    """

    def __init__(self, *, path: str | Path, loader: LoaderOptions) -> None:
        super().__init__(loader)
        self.path = Path(path).expanduser()

    def load(self) -> LoadedData:
        """Read the file.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file is corrupt, lacks an array, or an array has the wrong shape or
                values.
        """
        arrays = _read(self.path)
        images = [_with_channels(arrays[f"{part}_images"], self.path, part) for part in _PARTS]
        if len({part.shape[1:] for part in images}) != 1:
            shapes = ", ".join(str(tuple(part.shape[1:])) for part in images)
            raise ValueError(
                f"{self.path}: images of all splits must have the same size, got {shapes}"
            )
        labels = [
            _labels(arrays[f"{part}_labels"], len(part_images), self.path, part)
            for part, part_images in zip(_PARTS, images, strict=True)
        ]
        store = ImageStore(torch.cat(images), {"y": torch.cat(labels)})
        index = torch.arange(len(store)).split([len(part) for part in images])
        splits = self.limited(dict(zip(_PARTS, index, strict=True)))
        return LoadedData(store, splits, self._spec(store, splits, images[0].shape[-1]))

    def _spec(self, store: ImageStore, splits: dict[str, Tensor], channels: int) -> GeometricSpec:
        classes = max(int(store.graph["y"].max()) + 1, 2)
        record = DataRecord(
            dataset="labelled_images",
            source=self.path.name,
            source_hash=hashlib.sha256(self.path.read_bytes()).hexdigest()[:16],
            split="that of the file",
            split_hash=split_hash(splits),
            sizes={part: len(rows) for part, rows in splits.items()},
        )
        return GeometricSpec(
            level="graph", dim=len(store.shape), in_channels=channels,
            out_channels=classes, vector_fields=("pos",), lattice=store.shape,
            units={"pos": "pixel", "x": "1", "y": "1"},
            statistics={"classes": [str(number) for number in range(classes)]},
            record=record,
        )  # fmt: skip


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    names = [f"{part}_{kind}" for part in _PARTS for kind in ("images", "labels")]
    return read_npz(path, names)


def _with_channels(images: np.ndarray, path: Path, part: str) -> Tensor:
    """``[S, *shape, channels]``, bytes or float32."""
    is_coloured = images.ndim >= 4 and images.shape[-1] <= _MOST_CHANNELS
    axes = images.ndim - 1 - is_coloured
    if axes not in (2, 3) or images.dtype.kind not in "fiu" or 0 in images.shape:
        raise ValueError(
            f"{path}: {part}_images must be numbers of shape [S, H, W] or [S, D, H, W], optionally "
            f"with a last axis of up to {_MOST_CHANNELS} channels, got {images.dtype} of shape "
            f"{images.shape}"
        )
    if min(images.shape[1 : 1 + axes]) < 2:
        raise ValueError(
            f"{path}: {part}_images must have at least two pixels per axis, got {images.shape}"
        )
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
        values = images if images.dtype == np.uint8 else images.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {part}_images contains NaN or infinite values")
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor if is_coloured else tensor.unsqueeze(-1)


def _labels(labels: np.ndarray, count: int, path: Path, part: str) -> Tensor:
    if labels.shape not in ((count,), (count, 1)) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: {part}_labels must be {count} whole numbers, one per image, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0:
        raise ValueError(f"{path}: {part}_labels must not be negative, got {labels.min()}")
    return torch.from_numpy(labels.astype(np.int64)).view(-1)
