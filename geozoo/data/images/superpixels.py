"""Images as graphs of superpixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from geozoo.data.store import GraphStore
from geozoo.geometry import knn_graph
from geozoo.ops import offsets

#: Images per nearest-neighbour search.
_CHUNK = 500


@dataclass(frozen=True)
class SlicOptions:
    """Settings of SLIC (Achanta et al. 2012) in scikit-image.

    Attributes:
        num_segments: requested number of superpixels; the actual number varies between images.
        compactness: weight of spatial distance relative to the grey value in 0..1.
        num_neighbors: number of incoming edges of each superpixel, from its nearest neighbours.

    Raises:
        ValueError: If a size is not positive.
        ImportError: If scikit-image is not installed.
    """

    num_segments: int = 75
    compactness: float = 0.25
    num_neighbors: int = 8

    def __post_init__(self) -> None:
        """Validate the settings before any image is read."""
        for name in ("num_segments", "compactness", "num_neighbors"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        if find_spec("skimage") is None:
            raise ImportError('superpixels require scikit-image: pip install "geozoo[images]"')


def slic_graphs(
    images: UInt8[np.ndarray, "S height width"],
    options: SlicOptions,
    advance: Callable[[int], None] = lambda amount: None,
) -> GraphStore:
    """Segment grey images into superpixels and connect nearest neighbours.

    Args:
        images: grey values 0..255.
        options: settings.
        advance: called with the number of images processed.

    Returns:
        A store with the node fields ``pos [N, 2]`` (centroid in pixels from the image centre: x to
        the right, y upwards) and ``x [N, 1]`` (mean grey value in 0..1), and ``edge_index`` with
        edges from the nearest superpixels to each one, and self-loops.
    """
    counts, pos, grey, edges, num_edges = [], [], [], [], []
    for start in range(0, len(images), _CHUNK):
        parts = [superpixels(image, options) for image in images[start : start + _CHUNK]]
        sizes = torch.tensor([len(values) for _, values in parts])
        centres = torch.from_numpy(np.concatenate([centre for centre, _ in parts]))
        index, amount = _neighbors(centres, sizes, options.num_neighbors)
        counts.append(sizes)
        pos.append(centres)
        grey.append(torch.from_numpy(np.concatenate([values for _, values in parts]))[:, None])
        edges.append(index)
        num_edges.append(amount)
        advance(len(parts))
    return GraphStore(
        torch.cat(counts),
        {"pos": torch.cat(pos), "x": torch.cat(grey)},
        edge_index=torch.cat(edges, 1),
        num_edges=torch.cat(num_edges),
    )


def superpixels(
    image: UInt8[np.ndarray, "height width"], options: SlicOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Centroids ``[n, 2]`` and mean grey values ``[n]`` of the superpixels of an image, float32."""
    from skimage.segmentation import slic

    grey = image.astype(np.float64) / 255
    labels = slic(
        grey, n_segments=options.num_segments, compactness=options.compactness,
        channel_axis=None, start_label=0,
    ).ravel()  # fmt: skip
    height, width = image.shape
    row, column = np.indices((height, width)).reshape(2, -1)
    count = np.bincount(labels)
    kept = count > 0
    sums = (np.bincount(labels, weights=w)[kept] for w in (column, row, grey.ravel()))
    x, y, mean = (values / count[kept] for values in sums)
    pos = np.stack([x - (width - 1) / 2, (height - 1) / 2 - y], 1)
    return pos.astype(np.float32), mean.astype(np.float32)


def _neighbors(pos: Tensor, counts: Tensor, num_neighbors: int) -> tuple[Tensor, Tensor]:
    """Edge index within each graph, including self-loops, and number of edges of each graph.

    The index is int16, because edges are the largest part of the store.
    """
    batch = torch.repeat_interleave(torch.arange(len(counts)), counts)
    loops = torch.arange(len(pos)).expand(2, -1)
    index = torch.cat([knn_graph(pos, num_neighbors, batch, len(counts)), loops], 1)
    order = index[1].argsort(stable=True)
    owner = batch[index[1, order]]
    local = index[:, order] - offsets(counts)[:-1][owner]
    return local.to(torch.int16), torch.bincount(owner, minlength=len(counts))
