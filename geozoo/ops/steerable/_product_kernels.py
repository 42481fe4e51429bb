"""Compiled steerable products and their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geozoo.ops._ranges import check_rows
from geozoo.ops.steerable._compiled import generated
from geozoo.ops.steerable._product_source import ABSENT, ADD, SET, Kind, driver_source, kind_source
from geozoo.ops.steerable.product import Rows, SteerableProduct, Target

Parts = Sequence[Tensor | None]


class _Layout(NamedTuple):
    """A product with the rows that it reads and writes.

    Attributes:
        product: the product.
        indices: ``[R]`` row of each source.
        sizes: number of rows of each source.
        target: ``[R]`` row of the outputs.
        num_out: number of rows of the outputs.
        is_own: whether each source and, last, the outputs have a row for each row of the harmonics.
    """

    product: SteerableProduct
    indices: tuple[NDArray[np.int64], ...]
    sizes: tuple[int, ...]
    target: NDArray[np.int64]
    num_out: int
    is_own: tuple[bool, ...]


def apply_kernels(
    product: SteerableProduct, sources: Sequence[Rows], y: Tensor, target: Target | None
) -> tuple[Tensor, ...]:
    """`steerable_product` of tensors of one dtype, by compiled kernels."""
    for number, each in enumerate(sources):
        if each.rows is not None:
            check_rows(f"rows of source {number}", each.rows, each.x.shape[0])
    if target is not None:
        check_rows("rows of the target", target.rows, target.size)
    own = np.arange(y.shape[0])
    layout = _Layout(
        product, tuple(own if each.rows is None else _index(each.rows) for each in sources),
        tuple(each.x.shape[0] for each in sources),
        own if target is None else _index(target.rows),
        y.shape[0] if target is None else target.size,
        (*(each.rows is None for each in sources), target is None),
    )  # fmt: skip
    return _Product.apply(layout, True, y, *(each.x for each in sources))


def _index(index: Tensor) -> NDArray[np.int64]:
    """Rows in the form that kernels read."""
    return index.to(torch.int64).contiguous().numpy()


class _Product(torch.autograd.Function):
    """The product; features that are None are left out."""

    @staticmethod
    def forward(
        ctx: Any, layout: _Layout, constants: bool, y: Tensor, *xs: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.layout, ctx.constants = layout, constants
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y, *xs)
        return _value(layout, constants, y, xs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[2:]
        found = _Gradients.apply(ctx.layout, ctx.constants, wanted, *ctx.saved_tensors, *grads)
        return None, None, *found


class _Gradients(torch.autograd.Function):
    """Gradients ``(of_y, *of_xs)`` of the product ``P(y, xs)`` along ``gs``.

    The product is linear in y and in xs apart from paths with the constant 1. So the gradient of y
    depends on xs and gs, and that of xs on y and gs: with directions in the place of y and xs, this
    function gives the second derivatives.
    """

    @staticmethod
    def forward(
        ctx: Any, layout: _Layout, constants: bool, wanted: Sequence[bool], y: Tensor | None,
        *given: Tensor | None,
    ) -> tuple[Tensor | None, ...]:  # fmt: skip
        ctx.layout, ctx.constants = layout, constants
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y, *given)
        count, product = len(layout.sizes), layout.product
        xs, gs = _tight(given[:count]), _tight(given[count:])
        like = next((each for each in gs if each is not None), None)
        of_y: Tensor | None = None
        of_xs: list[Tensor | None] = [None] * count
        if like is not None and wanted[0] and any(each is not None for each in xs):
            of_y = like.new_empty(len(layout.target), product.y_width)
            _run("harmonics", layout, constants, of_y, xs, gs)
        if like is not None and y is not None and any(wanted[1:]):
            of_xs = [
                _made(like, size, width, is_own) if is_wanted else None
                for size, width, is_own, is_wanted in zip(
                    layout.sizes, product.x_widths, layout.is_own[:-1], wanted[1:], strict=True
                )
            ]
            _run("features", layout, constants, y.contiguous(), of_xs, gs)
        return of_y, *of_xs

    @staticmethod
    def backward(ctx: Any, hy: Tensor | None, *hxs: Tensor | None) -> tuple[Tensor | None, ...]:
        layout, constants, needed = ctx.layout, ctx.constants, ctx.needs_input_grad[3:]
        y, *given = ctx.saved_tensors
        count = len(layout.sizes)
        xs, gs = given[:count], given[count:]
        found = _Gradients.apply(layout, False, needed[: 1 + count], hy, *hxs, *gs)
        of_gs: Parts = [None] * len(gs)
        if any(needed[1 + count :]):
            sums = _sum(layout, [(constants, y, hxs), (False, hy, xs)])
            of_gs = [
                each if is_needed else None
                for each, is_needed in zip(sums, needed[1 + count :], strict=True)
            ]
        return None, None, None, *found, *of_gs


def _sum(layout: _Layout, terms: Sequence[tuple[bool, Tensor | None, Parts]]) -> Parts:
    """The sum of products whose harmonics and features are present."""
    known = [
        (constants, y, xs)
        for constants, y, xs in terms
        if y is not None and any(each is not None for each in xs)
    ]
    if not known:
        return [None] * len(layout.product.out_widths)
    if torch.is_grad_enabled():
        parts = [_Product.apply(layout, constants, y, *xs) for constants, y, xs in known]
        return [sum(each[1:], each[0]) for each in zip(*parts, strict=True)]
    outs: tuple[Tensor, ...] | None = None
    for constants, y, xs in known:
        outs = _value(layout, constants, y, xs, onto=outs)
    assert outs is not None
    return outs


def _value(
    layout: _Layout, constants: bool, y: Tensor, xs: Parts, *,
    onto: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The product, added to other values if they are given."""
    widths = layout.product.out_widths
    is_own = layout.is_own[-1]
    outs = onto or tuple(_made(y, layout.num_out, width, is_own) for width in widths)
    is_new = onto is None
    _run("forward", layout, constants, y.contiguous(), _tight(xs), outs, is_new=is_new)
    return outs


def _made(like: Tensor, rows: int, width: int, is_own: bool) -> Tensor:
    """A result: zeros, unless the kernel sets its rows."""
    return like.new_empty(rows, width) if is_own else like.new_zeros(rows, width)


def _tight(tensors: Parts) -> list[Tensor | None]:
    return [None if each is None else each.contiguous() for each in tensors]


def _run(
    loop: str, layout: _Layout, constants: bool, y: Tensor, xs: Parts, outs: Parts, *,
    is_new: bool = True,
) -> None:  # fmt: skip
    """Run a loop over all rows; what is None is left out."""
    harmonics = y.detach().numpy()
    nothing = harmonics[:0]
    kernels = _kernels(layout.product, str(y.dtype).removeprefix("torch."))
    arrays: list[Any] = []
    for x, index, is_own in zip(xs, layout.indices, layout.is_own[:-1], strict=True):
        arrays += [nothing if x is None else x.detach().numpy(), index, _use(x, is_own)]
    is_set = is_new and layout.is_own[-1]
    for out in outs:
        arrays += [nothing if out is None else out.detach().numpy(), _use(out, is_set)]
    rows = len(layout.target)
    getattr(kernels, loop)(*arrays, harmonics, layout.target, constants, 0, rows)


def _use(array: Tensor | None, is_set: bool) -> int:
    return ABSENT if array is None else SET if is_set else ADD


@lru_cache(maxsize=256)
def _kernels(product: SteerableProduct, dtype: str) -> ModuleType:
    """The module of the compiled loops."""
    modules: dict[Kind, str] = {}
    for kind in sorted({path.kind for path in product.paths}):
        modules[kind] = generated(kind_source(kind, dtype), f"product_kind_{dtype}").__name__
    return generated(driver_source(product, modules, dtype), f"product_{dtype}")
