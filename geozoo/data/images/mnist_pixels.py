"""MNIST as pixel graphs: every pixel is a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.images._digits import digit_data
from geozoo.data.images._mnist_files import read_both_parts
from geozoo.data.images.image_store import ImageStore
from geozoo.data.loader import LoaderOptions
from geozoo.files.folders import data_folder


class MNISTPixels(GraphDataModule):
    """MNIST digits as regular grids of 28 x 28 points.

    ========== ========== ======= =============================================================
    field      shape      dtype   meaning
    ========== ========== ======= =============================================================
    ``pos``    ``[N, 2]`` float32 pixel position from the image centre, x to the right, y upwards
    ``x``      ``[N, 1]`` float32 grey value, 0..1
    ``y``      ``[G]``    int64   digit
    ========== ========== ======= =============================================================

    Args:
        loader: batch sizes, shuffling and device placement.
        split_seed: seed of the validation split.
        root: folder of all datasets, see :func:`geozoo.data.data_folder`; the images are in its
            subfolder ``mnist``.
        download: whether missing images may be downloaded (12 MB).
        mirrors: base URLs of the images, tried before the published ones.

    Raises:
        ValueError: If the seed is negative.
    """

    dim: ClassVar[int] = 2

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        split_seed: int = 0,
        root: str | Path | None = None,
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        super().__init__(loader)
        self.split_seed = check_seed(split_seed, "split_seed")
        self.folder = data_folder("mnist", root)
        self.download, self.mirrors = download, tuple(mirrors)

    def load(self) -> LoadedData:
        """Read the training and test images."""
        images, labels, num_train = read_both_parts(
            self.folder, download=self.download, mirrors=self.mirrors
        )
        store = ImageStore(torch.from_numpy(images).unsqueeze(-1), {"y": torch.from_numpy(labels)})
        return digit_data(
            store,
            num_train,
            name="mnist_pixels",
            source="MNIST",
            split_seed=self.split_seed,
            limited=self.limited,
        )
