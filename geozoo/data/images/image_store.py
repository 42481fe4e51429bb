"""Images as graphs of pixels, built lazily per batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.data._layout import GraphIndex, as_index
from geozoo.data.batch import GraphBatch
from geozoo.geometry import lattice_indices


class ImageStore:
    """Images of equal size as regular grids: a store whose graphs share their positions.

    A batch has ``pos [N, dim]`` (see `pixel_positions`) and ``x [N, channels]``, the pixel values
    in row-major order: uint8 is divided by 255, floats are unchanged.

    Args:
        images: ``[S, *shape, channels]``, uint8 or float32, with two or three axes in ``shape``.
        graph: graph fields, ``[S, ...]``.

    Attributes:
        graph: as given.
        shape: pixels along each axis.

    Raises:
        ValueError: If the number of axes or the length of a field is wrong, or values are NaN or
            infinite.

    >>> store = ImageStore(torch.zeros(5, 4, 4, 1, dtype=torch.uint8), {"y": torch.arange(5)})
    >>> store.gather([3, 1]).x.shape
    torch.Size([32, 1])
    """

    def __init__(self, images: Tensor, graph: Mapping[str, Tensor]) -> None:
        if images.dim() not in (4, 5):
            raise ValueError(
                "images must have shape [S, H, W, channels] or [S, D, H, W, channels], got "
                f"{tuple(images.shape)}"
            )
        if images.is_floating_point() and not bool(torch.isfinite(images).all()):
            raise ValueError("images contain NaN or infinite values")
        for name, values in graph.items():
            if len(values) != len(images):
                raise ValueError(f"{name} must have {len(images)} rows, got {len(values)}")
        self.shape = tuple(images.shape[1:-1])
        self._pixels = images.flatten(1, -2)
        self._pos = pixel_positions(self.shape).to(images.device)
        self.graph = dict(graph)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._pixels)

    def __repr__(self) -> str:
        """Sizes and field names."""
        size = " x ".join(map(str, self.shape))
        return f"ImageStore({len(self)} images of {size} pixels; graph: {' '.join(self.graph)})"

    @property
    def num_nodes(self) -> Int[Tensor, " S"]:
        """Number of pixels of each image, on the host."""
        return torch.full((len(self),), self._pixels.shape[1])

    @property
    def device(self) -> torch.device:
        """Device of the images."""
        return self._pixels.device

    @property
    def nbytes(self) -> int:
        """Memory of images, positions and fields in bytes."""
        return sum(part.nbytes for part in (self._pixels, self._pos, *self.graph.values()))

    def gather(self, index: GraphIndex) -> GraphBatch:
        """Gather images, in the given order, into one batch on the store's device.

        Args:
            index: image indices ``[G]``; repeats are allowed.

        Raises:
            TypeError: If the index does not hold integers.
            ValueError: If the index is not one-dimensional.
            IndexError: If an index is out of range.
        """
        local = as_index(index, len(self)).to(self.device, non_blocking=True)
        count, size = len(local), len(self._pos)
        ptr = size * torch.arange(count + 1, device=self.device)
        values = self._pixels.index_select(0, local).flatten(0, 1)
        if not values.is_floating_point():
            values = values.to(torch.float32) / 255
        tensors = {
            "batch": torch.arange(count, device=self.device).repeat_interleave(size),
            "ptr": ptr,
            "index": local,
            "pos": self._pos.repeat(count, 1),
            "x": values,
            **{name: field.index_select(0, local) for name, field in self.graph.items()},
        }
        levels = {"pos": "node", "x": "node", **dict.fromkeys(self.graph, "graph")}
        pairs = count * size * (size - 1) // 2
        return GraphBatch(tensors, levels=levels, num_graphs=count, num_pairs=pairs)

    def to(self, device: torch.device | str) -> ImageStore:
        """The store on another device."""
        if torch.device(device) == self.device:
            return self
        images = self._pixels.to(device).unflatten(1, self.shape)
        return ImageStore(images, {name: field.to(device) for name, field in self.graph.items()})


def pixel_positions(shape: Sequence[int]) -> Float[Tensor, "n dim"]:
    """Pixel positions in row-major order, in units of the pixel spacing, from the image centre.

    The last image axis points along x (to the right), the one before it along -y (downwards), so
    that images are upright; the first of three axes points along z.

    >>> pixel_positions([2, 2])[1].tolist()  # the upper right pixel
    [0.5, 0.5]
    """
    index = lattice_indices(shape).to(torch.float32)
    pos = (index - (torch.tensor(shape, dtype=torch.float32) - 1) / 2).flip(-1)
    pos[:, 1] = -pos[:, 1]
    return pos
