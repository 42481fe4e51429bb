"""Fully connected tensor products with attributes, as matrix products and weightless couplings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from geozoo.ops.steerable import ProductPath, Rows, SteerableProduct, steerable_product

if TYPE_CHECKING:
    from e3nn import o3


class _Weight(NamedTuple):
    """A path of the tensor product: a weight matrix for one channel of the attribute.

    Attributes:
        instruction: number of the instruction of e3nn.
        channel: channel of the attribute.
        block: block of the features.
        output: block of the output.
        degrees: degrees of features, attribute and output.
        y: first column of the attribute; None: the constant 1.
        sizes: channels of the features and of the output.
        scale: factor of the coupling coefficients.
    """

    instruction: int
    channel: int
    block: int
    output: int
    degrees: tuple[int, int, int]
    y: int | None
    sizes: tuple[int, int]
    scale: float


class SteeredMap:
    r"""How to evaluate a fully connected tensor product of features and an attribute.

    .. math:: z_{c w} = \sum_p \sum_{u} W^p_{u w} \sum_{a b} C^p_{a b c}\, x_{a u}\, a_b

    The weights mix channels, the coefficients C components, in any order. Features that are
    gathered, such as those of the ends of edges, are multiplied by weights before, on fewer rows;
    so are blocks with fewer components than the output. Other blocks are coupled first. The
    couplings of all paths are one steerable product.

    Args:
        product: the tensor product.
        gathered: which blocks of the features are gathered; empty: none.
        biases: which blocks of the output have biases.
        has_unit: whether the first entry of the attribute is the constant 1.
    """

    def __init__(
        self,
        product: o3.FullyConnectedTensorProduct,
        gathered: Sequence[bool],
        biases: Sequence[bool],
        *,
        has_unit: bool = False,
    ) -> None:
        before, after = product.irreps_in1, product.irreps_out
        self.weights = _weights(product, has_unit)
        self.shapes = [tuple(each.path_shape) for each in product.instructions]
        self.dims = [kind.dim for _, kind in before]
        self.channels = [count for count, _ in after]
        gathered = gathered or [False] * len(before)
        coupled_first = _coupled_first(self.weights, gathered)
        #: For each block of the features, its weights before the coupling.
        self.early: list[list[_Weight]] = [[] for _ in before]
        #: For each block of the output, its weights after the coupling.
        self.late: list[list[_Weight]] = [[] for _ in after]
        for weight, is_late in zip(self.weights, coupled_first, strict=True):
            if is_late:
                self.late[weight.output].append(weight)
            else:
                self.early[weight.block].append(weight)
        self.biased = [bool(each) for each in biases]
        self._make_product(product)

    def _make_product(self, product: o3.FullyConnectedTensorProduct) -> None:
        """List the paths, with the sources and outputs that they need."""
        before, after = product.irreps_in1, product.irreps_out
        self.out_widths = [each.dim for each in after]
        #: Outputs to which the coupling adds the bias.
        self.constant = [out for out, has in enumerate(self.biased) if has and not self.late[out]]
        #: Blocks that are coupled before their weights.
        self.raw = sorted({each.block for maps in self.late for each in maps})
        self._make_outputs([kind.dim for _, kind in after])
        paths: list[ProductPath] = []
        widths: list[int] = []
        for maps, dim in zip(self.early, self.dims, strict=True):
            total, start = sum(each.sizes[1] for each in maps), 0
            for each in maps:
                place, size = self.direct[each.output], each.sizes[1]
                paths.append(_path(each, size, len(widths), start, total, place, 0, size))
                start += size
            widths += [total * dim] if maps else []
        first = len(widths)
        widths += [before[block].dim for block in self.raw]
        for maps, place in zip(self.late, self.mixed, strict=True):
            total, start = sum(each.sizes[0] for each in maps), 0
            for each in maps:
                source, size = first + self.raw.index(each.block), each.sizes[0]
                paths.append(_path(each, size, source, 0, size, place, start, total))
                start += size
        for out in self.constant:
            size, place = after[out].mul, self.direct[out]
            bias = _Weight(0, 0, 0, out, (0, 0, 0), None, (size, size), 1.0)
            paths.append(_path(bias, size, len(widths), 0, size, place, 0, size))
            widths.append(size)
        width = product.irreps_in2.dim
        self.product = SteerableProduct(tuple(paths), tuple(widths), width, self.product_widths)

    def _make_outputs(self, dims: Sequence[int]) -> None:
        """Number the outputs of the steerable product: of each block, without weights and with."""
        self.direct: list[int | None] = [None] * len(dims)
        self.mixed: list[int | None] = [None] * len(dims)
        widths: list[int] = []
        reached = {each.output for maps in self.early for each in maps} | {*self.constant}
        for out, dim in enumerate(dims):
            if out in reached:
                self.direct[out] = len(widths)
                widths.append(self.out_widths[out])
            if self.late[out]:
                self.mixed[out] = len(widths)
                widths.append(dim * sum(each.sizes[0] for each in self.late[out]))
        self.product_widths = tuple(widths)

    def apply(
        self,
        blocks: Sequence[Rows],
        attribute: Tensor,
        weight: Tensor,
        biases: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """Return the blocks of the output, channels last.

        Args:
            blocks: blocks of the features, channels last.
            attribute: attribute of each row.
            weight: all weights, in the order of e3nn.
            biases: bias of each block of the output that has one.
        """
        matrices = self._matrices(weight)
        sources = []
        for rows, maps, dim in zip(blocks, self.early, self.dims, strict=True):
            if maps:
                matrix = torch.cat([matrices[each] for each in maps], 1)
                mapped = rows.x.reshape(rows.x.shape[0] * dim, matrix.shape[0])
                width = dim * matrix.shape[1]
                sources.append(Rows((mapped @ matrix).view(rows.x.shape[0], width), rows.rows))
        sources += [blocks[block] for block in self.raw]
        for out in self.constant:
            bias = biases[out]
            assert bias is not None
            first = torch.zeros(attribute.shape[0], dtype=torch.int64, device=bias.device)
            sources.append(Rows(bias.unsqueeze(0), first))
        coupled = steerable_product(sources, attribute, self.product)
        return [
            self._output(out, coupled, matrices, biases[out], attribute)
            for out in range(len(self.out_widths))
        ]

    def _matrices(self, weight: Tensor) -> dict[_Weight, Tensor]:
        """The weight matrix of every path."""
        parts = weight.split([math.prod(shape) for shape in self.shapes])
        views = [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return {
            each: view.flatten(0, 1) if view.shape[1] == 1 else view[:, each.channel]
            for each, view in ((each, views[each.instruction]) for each in self.weights)
        }

    def _output(
        self, out: int, coupled: Sequence[Tensor], matrices: dict[_Weight, Tensor],
        bias: Tensor | None, like: Tensor,
    ) -> Tensor:  # fmt: skip
        direct, mixed = self.direct[out], self.mixed[out]
        if mixed is None:
            if direct is None:
                return like.new_zeros(like.shape[0], self.out_widths[out])
            return coupled[direct]
        matrix = torch.cat([matrices[each] for each in self.late[out]])
        rows = coupled[mixed].view(-1, matrix.shape[0])
        found = rows @ matrix if bias is None else torch.addmm(bias, rows, matrix)
        found = found.view(like.shape[0], self.out_widths[out])
        return found if direct is None else found + coupled[direct]


def _path(
    weight: _Weight, channels: int, source: int, x: int, x_stride: int, output: int | None,
    out: int, out_stride: int,
) -> ProductPath:  # fmt: skip
    assert output is not None
    return ProductPath(
        weight.degrees, source, x, weight.y, output, out, channels, x_stride, out_stride,
        weight.scale,
    )  # fmt: skip


def _weights(product: o3.FullyConnectedTensorProduct, has_unit: bool) -> list[_Weight]:
    """The weight matrices of all paths; an attribute with several channels has one for each."""
    before, around, after = product.irreps_in1, product.irreps_in2, product.irreps_out
    starts = [where.start for where in around.slices()]
    found = []
    for number, at in enumerate(product.instructions):
        (count, first), (channels, second) = before[at.i_in1], around[at.i_in2]
        size, third = after[at.i_out]
        for channel in range(channels):
            y: int | None = starts[at.i_in2] + channel * second.dim
            if has_unit and y == 0 and second.l == 0:
                y = None
            degrees = first.l, second.l, third.l
            found.append(
                _Weight(
                    number, channel, at.i_in1, at.i_out, degrees, y, (count, size),
                    float(at.path_weight),
                )
            )  # fmt: skip
    return found


def _coupled_first(weights: Sequence[_Weight], gathered: Sequence[bool]) -> list[bool]:
    """Which paths are coupled before their weights: those whose output has fewer components.

    With as many components, those to an output that has such paths anyway.
    """
    fewer = [each.degrees[2] < each.degrees[0] and not gathered[each.block] for each in weights]
    mixed = {each.output for each, is_late in zip(weights, fewer, strict=True) if is_late}
    return [
        is_late
        or (
            each.degrees[0] == each.degrees[2] and each.output in mixed and not gathered[each.block]
        )
        for each, is_late in zip(weights, fewer, strict=True)
    ]
