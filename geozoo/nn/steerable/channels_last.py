"""Steerable features with their channels last, and the paths of products.

e3nn lays out a block ``U x l`` channel by channel, ``[U, 2 l + 1]``. With the channels last,
``[2 l + 1, U]``, linear maps are matrix products and loops over channels run through memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops.steerable import Path, SteerablePaths

if TYPE_CHECKING:
    from e3nn import o3


def sizes_of(irreps: o3.Irreps) -> list[tuple[int, int]]:
    """Channels and components of every block; compilers cannot read irreps."""
    return [(count, kind.dim) for count, kind in irreps]


def blocks_to_channels_last(
    x: Float[Tensor, "N F"], sizes: Sequence[tuple[int, int]]
) -> list[Float[Tensor, "N B"]]:
    """The blocks of features, with the channels of each last.

    Args:
        x: features in the layout of e3nn.
        sizes: see `sizes_of`.
    """
    parts = x.split([count * dim for count, dim in sizes], 1)
    return [
        part if dim == 1 else part.unflatten(1, (count, dim)).transpose(1, 2).flatten(1)
        for part, (count, dim) in zip(parts, sizes, strict=True)
    ]


def blocks_from_channels_last(
    blocks: Sequence[Float[Tensor, "N B"]], sizes: Sequence[tuple[int, int]]
) -> Float[Tensor, "N F"]:
    """The inverse of `blocks_to_channels_last`.

    Args:
        blocks: blocks of features with the channels last.
        sizes: see `sizes_of`.
    """
    parts = [
        part if dim == 1 else part.unflatten(1, (dim, count)).transpose(1, 2).flatten(1)
        for part, (count, dim) in zip(blocks, sizes, strict=True)
    ]
    return torch.cat(parts, 1)


def paths_of(product: o3.TensorProduct) -> SteerablePaths:
    """The paths of a depthwise (``uvu``) tensor product with harmonics of one channel each.

    The output has the simplified irreps of the product, so that blocks of one irrep are joined.

    Args:
        product: the tensor product; its second input are spherical harmonics.
    """
    before, harmonics = product.irreps_in1, product.irreps_in2
    middle = product.irreps_out
    joined = middle.simplify()
    starts_in = _starts(before)
    starts_y = _starts(harmonics)
    starts_out = _starts(joined)
    # Channels of every block of the output within its joined block.
    place, block, filled = [], 0, 0
    for count, kind in middle:
        while joined[block].ir != kind or filled >= joined[block].mul:
            block, filled = block + 1, 0
        place.append((block, filled))
        filled += count
    paths, column = [], 0
    for ins in product.instructions:
        count, first = before[ins.i_in1]
        second, third = harmonics[ins.i_in2].ir, middle[ins.i_out].ir
        block, offset = place[ins.i_out]
        paths.append(
            Path(
                (first.l, second.l, third.l), x=starts_in[ins.i_in1], y=starts_y[ins.i_in2],
                w=column, out=starts_out[block] + offset, channels=count, x_stride=count,
                out_stride=joined[block].mul, scale=float(ins.path_weight),
            )
        )  # fmt: skip
        column += count
    return SteerablePaths(tuple(paths), before.dim, harmonics.dim, column, joined.dim)


def _starts(irreps: o3.Irreps) -> list[int]:
    return [where.start for where in irreps.slices()]
