"""Linear maps of e3nn on blocks of features with their channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
    sizes_of,
)
from geozoo.ops import is_textbook

if TYPE_CHECKING:
    from e3nn import o3


class _Term(NamedTuple):
    """A weight matrix.

    Attributes:
        source: block that it maps.
        output: block that it adds to.
        shape: channels of the two; in between, scalars of the attribute.
        scale: factor.
    """

    source: int
    output: int
    shape: tuple[int, ...]
    scale: float


class BlockMap:
    r"""How to evaluate a linear map of irreps as one matrix product for each pair of blocks.

    .. math:: y_{m w} = \sum_u W_{u w}\, x_{m u} \qquad \text{or} \qquad
        y_{m w} = \sum_{u v} W_{u v w}\, x_{m u}\, a_v

    with scalars a of each node. Blocks are ``[N, (2 l + 1) U]``, the U channels last.

    Args:
        layer: ``o3.Linear``, or ``o3.FullyConnectedTensorProduct`` with scalars, whose weights are
            given to `apply`.

    Raises:
        ValueError: If a product is not one with even scalars.
    """

    def __init__(self, layer: o3.Linear | o3.FullyConnectedTensorProduct) -> None:
        is_product = hasattr(layer, "irreps_in2")
        before = layer.irreps_in1 if is_product else layer.irreps_in
        after = layer.irreps_out
        self.sizes_in, self.sizes_out = sizes_of(before), sizes_of(after)
        self.widths_in = [part.dim for part in before]
        self.widths = [part.dim for part in after]
        self.dims = [kind.dim for _, kind in after]
        if is_product:
            if any(str(kind) != "0e" for _, kind in layer.irreps_in2):
                raise ValueError(f"attributes must be even scalars, got {layer.irreps_in2}")
            self.terms = [
                _Term(
                    each.i_in1, each.i_out, tuple(each.path_shape),
                    float(each.path_weight) * after[each.i_out].ir.dim ** -0.5,
                )
                for each in layer.instructions
            ]  # fmt: skip
        else:
            self.terms = [
                _Term(each.i_in, each.i_out, tuple(each.path_shape), float(each.path_weight))
                for each in layer.instructions
                if each.i_in >= 0  # others are biases
            ]
        self.sizes = [math.prod(each.shape) for each in self.terms]
        #: Channels of the blocks that have biases, if there are any.
        self.biased = [(out, count) for out, (count, kind) in enumerate(after) if str(kind) == "0e"]

    def of_layer(
        self,
        layer: o3.Linear | o3.FullyConnectedTensorProduct,
        blocks: Sequence[Tensor],
        attribute: Tensor | None = None,
        *,
        onto: Sequence[Tensor] | None = None,
        factor: float = 1.0,
    ) -> list[Tensor]:
        """As `apply`, with the weights of the layer; as e3nn evaluates it in `textbook` mode."""
        if not is_textbook():
            bias = getattr(layer, "bias", None)
            return self.apply(
                blocks, layer.weight, bias=bias, attribute=attribute, onto=onto, factor=factor
            )
        x = factor * blocks_from_channels_last(blocks, self.sizes_in)
        out = blocks_to_channels_last(
            layer(x) if attribute is None else layer(x, attribute), self.sizes_out
        )
        if onto is None:
            return out
        return [one + other for one, other in zip(out, onto, strict=True)]

    def apply(
        self,
        blocks: Sequence[Tensor],
        weight: Tensor,
        *,
        bias: Tensor | None = None,
        attribute: Tensor | None = None,
        onto: Sequence[Tensor] | None = None,
        factor: float = 1.0,
    ) -> list[Tensor]:
        """Return the blocks of the output.

        Args:
            blocks: blocks of the features.
            weight: all weights, in the order of e3nn.
            bias: biases of all scalars.
            attribute: ``[N, A]`` scalars, for products.
            onto: blocks that the output is added to.
            factor: of the features.
        """
        rows = blocks[0].shape[0]
        found: list[Tensor | None] = [None] * len(self.widths)
        if onto is not None:
            found = [
                part.reshape(rows * dim, width // dim)
                for part, dim, width in zip(onto, self.dims, self.widths, strict=True)
            ]
        if bias is not None and bias.numel():
            parts = bias.split([count for _, count in self.biased])
            for (out, _), part in zip(self.biased, parts, strict=True):
                known = found[out]
                found[out] = part.expand(rows, -1) if known is None else known + part
        for (source, out, shape, scale), flat in zip(
            self.terms, weight.split(self.sizes), strict=True
        ):
            given = blocks[source].reshape(rows * self.dims[out], shape[0])
            if attribute is not None:
                given = _with_scalars(given, attribute, self.dims[out])
            matrix = flat.view(given.shape[1], shape[-1])
            found[out] = _added(found[out], given, matrix, factor * scale)
        return [
            blocks[0].new_zeros(rows, width) if part is None else part.reshape(rows, width)
            for part, width in zip(found, self.widths, strict=True)
        ]


def _added(known: Tensor | None, given: Tensor, matrix: Tensor, scale: float) -> Tensor:
    if known is None:  # what is multiplied by 0 is not read
        known, beta = matrix.new_empty(1), 0.0
    else:
        beta = 1.0
    return torch.addmm(known, given, matrix, beta=beta, alpha=scale)


def _with_scalars(given: Tensor, attribute: Tensor, dim: int) -> Tensor:
    """Products of all channels with all scalars ``[N (2 l + 1), U A]``."""
    scalars = attribute if dim == 1 else attribute.repeat_interleave(dim, 0)
    return (given.unsqueeze(2) * scalars.unsqueeze(1)).flatten(1)
