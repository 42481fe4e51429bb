"""Superpixel MNIST: digits as graphs of about 75 points in the plane."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import torch

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.images._digits import digit_data
from geozoo.data.images._mnist_files import read_both_parts
from geozoo.data.images._pyg_superpixels import read_superpixels
from geozoo.data.images.superpixels import SlicOptions, slic_graphs
from geozoo.data.loader import LoaderOptions
from geozoo.data.store import GraphStore
from geozoo.files.folders import check_writable, data_folder
from geozoo.files.progress import progress_bar

_LOG = logging.getLogger(__name__)
_VERSION = "1"


class _Digits(GraphDataModule):
    """What the two kinds of superpixels share: a prepared file, splits, description.

    The first ``num_train`` graphs of the prepared file are the official training part, whose tenth
    part validates; the others test.
    """

    name: str

    dim: ClassVar[int] = 2

    def __init__(self, loader: LoaderOptions, *, split_seed: int, root: str | Path | None) -> None:
        super().__init__(loader)
        self.split_seed = check_seed(split_seed, "split_seed")
        self.folder = data_folder(self.name, root)

    @property
    @abstractmethod
    def prepared(self) -> Path:
        """The file that is made once."""

    @abstractmethod
    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """The graphs of both parts, and what the file shall say of itself."""

    def prepare_data(self) -> None:
        """Make the prepared file, unless a whole one is there."""
        if self._header() is None:
            check_writable(self.folder)
            store, header = self.make()
            store.save(self.prepared, metadata={**header, "version": _VERSION})
            _LOG.info("prepared %s: %s", self.prepared.name, store)

    def load(self) -> LoadedData:
        """Map the prepared file and cut the validation part off."""
        header = self._header()
        if header is None:
            raise FileNotFoundError(f"{self.prepared} is missing: call prepare_data()")
        return digit_data(
            GraphStore.load(self.prepared), int(header["num_train"]),
            name=self.name, source=header["source"], split_seed=self.split_seed,
        )  # fmt: skip

    def _header(self) -> dict[str, str] | None:
        """What the prepared file says of itself; None for a missing, damaged or outdated one."""
        header = GraphStore.header(self.prepared)
        return header if header and header.get("version") == _VERSION else None


class MNISTSlic(_Digits):
    """MNIST's images cut into superpixels by scikit-image's SLIC, joined to near ones.

    Our own cut: results on it and on the 75-node set of the literature are not comparable.

    ============== ========== ======= =====================================================
    field          shape      dtype   meaning
    ============== ========== ======= =====================================================
    ``pos``        ``[N, 2]`` float32 centre of a superpixel in pixels, from the middle of the image
    ``x``          ``[N, 1]`` float32 mean grey value, 0..1
    ``edge_index`` ``[2, E]`` int64   the nearest superpixels and itself send to each
    ``y``          ``[G]``    int64   the digit
    ============== ========== ======= =====================================================

    Args:
        loader: batch sizes, order and residence.
        num_segments: superpixels asked for.
        compactness: weight of the plane against the grey value.
        num_neighbors: nearest superpixels that send to each one.
        split_seed: seed of the validation part.
        root: folder of all data sets, see :func:`geozoo.data.data_folder`; the prepared file lies
            in its subfolder ``mnist_superpixels_slic``, the images in ``mnist``.
        download: whether missing images may be downloaded (12 MB).
        mirrors: addresses of folders with the images, tried before the published ones.

    Raises:
        ValueError: for a size that is not positive.
        ImportError: without scikit-image.
    """

    name = "mnist_superpixels_slic"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        num_segments: int = 75,
        compactness: float = 0.25,
        num_neighbors: int = 8,
        split_seed: int = 0,
        root: str | Path | None = None,
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        super().__init__(loader, split_seed=split_seed, root=root)
        self.options = SlicOptions(num_segments, compactness, num_neighbors)
        self.images = data_folder("mnist", root)
        self.download, self.mirrors = download, tuple(mirrors)

    @property
    def prepared(self) -> Path:
        """The file that is made once from the images."""
        options = self.options
        settings = f"{options.num_segments}_{options.compactness:g}_{options.num_neighbors}"
        return self.folder / f"slic_{settings}.safetensors"

    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """Cut the images of both parts."""
        images, labels, num_train = read_both_parts(
            self.images, download=self.download, mirrors=self.mirrors
        )
        with progress_bar("Cutting images into superpixels", len(images)) as advance:
            store = slic_graphs(images, self.options, advance)
        store.graph["y"] = torch.from_numpy(labels)
        source = (
            f"scikit-image {metadata.version('scikit-image')} SLIC, {self.options.num_segments} "
            f"segments, compactness {self.options.compactness:g}, "
            f"{self.options.num_neighbors} neighbours"
        )
        return store, {"num_train": str(num_train), "source": source}


class MNISTSuperpixels(_Digits):
    """The 75-node superpixels of Monti et al., read by PyTorch Geometric's own class.

    Fields as in `MNISTSlic`; ``edge_index`` is that of the file and a self-loop at each node.

    Args:
        loader: batch sizes, order and residence.
        split_seed: seed of the validation part.
        root: folder of all data sets; PyTorch Geometric's files lie in its subfolder
            ``mnist_superpixels`` (``raw``, ``processed``).
        download: whether PyTorch Geometric may download missing files.

    Reference:
        F. Monti, D. Boscaini, J. Masci, E. Rodolà, J. Svoboda, M. M. Bronstein, Geometric deep
        learning on graphs and manifolds using mixture model CNNs, CVPR 2017.
    """

    name = "mnist_superpixels"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        split_seed: int = 0,
        root: str | Path | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(loader, split_seed=split_seed, root=root)
        self.download = download

    @property
    def prepared(self) -> Path:
        """The file that is made once from the graphs."""
        return self.folder / "prepared.safetensors"

    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """Read both parts through PyTorch Geometric."""
        store, num_train = read_superpixels(self.folder, download=self.download)
        return store, {"num_train": str(num_train), "source": "75 nodes, Monti et al. 2017"}
