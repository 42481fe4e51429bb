"""MNIST superpixels: digits as planar graphs of about 75 nodes."""

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
    """Common base of the superpixel datasets: prepared file, splits, specification.

    The first ``num_train`` graphs of the prepared file are the official training set, of which 10 %
    are held out for validation; the others are the test set.
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
        """The preprocessed file, created once."""

    @abstractmethod
    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """The graphs of training and test set, and the metadata of the prepared file."""

    def prepare_data(self) -> None:
        """Create the prepared file unless a valid one exists."""
        if self._header() is None:
            check_writable(self.folder)
            store, header = self.make()
            store.save(self.prepared, metadata={**header, "version": _VERSION})
            _LOG.info("prepared %s: %s", self.prepared.name, store)

    def load(self) -> LoadedData:
        """Memory-map the prepared file and split off the validation set."""
        header = self._header()
        if header is None:
            raise FileNotFoundError(f"{self.prepared} is missing: call prepare_data()")
        return digit_data(
            GraphStore.load(self.prepared), int(header["num_train"]),
            name=self.name, source=header["source"], split_seed=self.split_seed,
            limited=self.limited,
        )  # fmt: skip

    def _header(self) -> dict[str, str] | None:
        """Metadata of the prepared file; None if it is missing, corrupt or outdated."""
        header = GraphStore.header(self.prepared)
        return header if header and header.get("version") == _VERSION else None


class MNISTSlic(_Digits):
    """MNIST segmented into superpixels by scikit-image's SLIC, with nearest-neighbour edges.

    Our own segmentation: results are not comparable with those on the 75-node dataset of the
    literature.

    ============== ========== ======= =====================================================
    field          shape      dtype   meaning
    ============== ========== ======= =====================================================
    ``pos``        ``[N, 2]`` float32 superpixel centroid in pixels, from the image centre
    ``x``          ``[N, 1]`` float32 mean grey value, 0..1
    ``edge_index`` ``[2, E]`` int64   from the nearest superpixels to each, with self-loops
    ``y``          ``[G]``    int64   digit
    ============== ========== ======= =====================================================

    Args:
        loader: batch sizes, shuffling and device placement.
        num_segments: requested number of superpixels.
        compactness: weight of spatial distance relative to grey value.
        num_neighbors: number of incoming edges of each superpixel, from its nearest neighbours.
        split_seed: seed of the validation split.
        root: folder of all datasets, see :func:`geozoo.data.data_folder`; the prepared file is in
            its subfolder ``mnist_superpixels_slic``, the images in ``mnist``.
        download: whether missing images may be downloaded (12 MB).
        mirrors: base URLs of the images, tried before the published ones.

    Raises:
        ValueError: If a size is not positive.
        ImportError: If scikit-image is not installed.
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
        """The preprocessed file, created once from the images."""
        options = self.options
        settings = f"{options.num_segments}_{options.compactness:g}_{options.num_neighbors}"
        return self.folder / f"slic_{settings}.safetensors"

    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """Segment the training and test images."""
        images, labels, num_train = read_both_parts(
            self.images, download=self.download, mirrors=self.mirrors
        )
        with progress_bar("Segmenting images into superpixels", len(images)) as advance:
            store = slic_graphs(images, self.options, advance)
        store.graph["y"] = torch.from_numpy(labels)
        source = (
            f"scikit-image {metadata.version('scikit-image')} SLIC, {self.options.num_segments} "
            f"segments, compactness {self.options.compactness:g}, "
            f"{self.options.num_neighbors} neighbours"
        )
        return store, {"num_train": str(num_train), "source": source}


class MNISTSuperpixels(_Digits):
    """The 75-node superpixels of Monti et al., read through PyTorch Geometric.

    Fields as in `MNISTSlic`; ``edge_index`` is that of the file plus a self-loop at each node.

    Args:
        loader: batch sizes, shuffling and device placement.
        split_seed: seed of the validation split.
        root: folder of all datasets; PyTorch Geometric's files are in its subfolder
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
        """The preprocessed file, created once from the graphs."""
        return self.folder / "prepared.safetensors"

    def make(self) -> tuple[GraphStore, dict[str, str]]:
        """Read training and test set through PyTorch Geometric."""
        store, num_train = read_superpixels(self.folder, download=self.download)
        return store, {"num_train": str(num_train), "source": "75 nodes, Monti et al. 2017"}
