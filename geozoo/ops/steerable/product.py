"""Products of steerable features with harmonics, for every row or summed over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.ops.scatter import scatter
from geozoo.ops.steerable._product_source import Kind
from geozoo.ops.steerable.sum import Backend, _block, _coupled, is_compiled


@dataclass(frozen=True)
class ProductPath:
    """One product of input degree, harmonic degree and output degree.

    Blocks are channels-last: component a of channel u of a block that begins at column ``x`` is
    column ``x + a * x_stride + u``.

    Attributes:
        degrees: degrees of input, harmonics and output.
        source: number of the source.
        x: first column of the block of the source.
        y: first column of the harmonics; None: the constant 1 of degree 0.
        output: number of the output.
        out: first column of the block of the output.
        channels: number of channels.
        x_stride: columns from one component of the source to the next.
        out_stride: the same of the output.
        scale: factor of the coupling coefficients.
    """

    degrees: tuple[int, int, int]
    source: int
    x: int
    y: int | None
    output: int
    out: int
    channels: int
    x_stride: int
    out_stride: int
    scale: float

    @property
    def kind(self) -> Kind:
        """Degrees, and whether the harmonic is the constant 1: what a kernel is generated for."""
        return (*self.degrees, self.y is None)


@dataclass(frozen=True)
class SteerableProduct:
    """All paths of a product.

    Attributes:
        paths: the paths.
        x_widths: columns of each source.
        y_width: columns of the harmonics.
        out_widths: columns of each output.
    """

    paths: tuple[ProductPath, ...]
    x_widths: tuple[int, ...]
    y_width: int
    out_widths: tuple[int, ...]

    def __hash__(self) -> int:
        """Computed once: compiled kernels are looked up by their paths in every call."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.paths, self.x_widths, self.y_width, self.out_widths))


class Rows(NamedTuple):
    """Rows of a tensor.

    Attributes:
        x: ``[N, C]`` the tensor.
        rows: ``[R]`` which of its rows; None: all of them.
    """

    x: Float[Tensor, "N C"]
    rows: Int[Tensor, " R"] | None = None

    def taken(self) -> Tensor:
        """The rows as a tensor."""
        return self.x if self.rows is None else self.x.index_select(0, self.rows)


class Target(NamedTuple):
    """Where rows are summed.

    Attributes:
        rows: ``[R]`` row of the result.
        size: number of rows of the result.
    """

    rows: Int[Tensor, " R"]
    size: int


def steerable_product(
    sources: Sequence[Rows],
    y: Float[Tensor, "R Y"],
    product: SteerableProduct,
    *,
    target: Target | None = None,
    backend: Backend = "auto",
) -> tuple[Float[Tensor, "R out"], ...]:
    r"""Multiply features by harmonics in every row, along given paths.

    .. math:: z_{r, c u} = \sum_p \sum_{a b} C^p_{a b c}\, x^{k_p}_{i_{k_p}(r), a u}\, y_{r, b}

    With a target, rows are summed at :math:`t(r)`. In compiled kernels features are read where they
    are, so that gathered features and the products of single paths are not stored; derivatives of
    any order are such kernels too, since the product is linear in features and in harmonics.

    Args:
        sources: features, channels-last blocks; one row for each row of ``y``.
        y: harmonics.
        product: the paths.
        target: where to sum; None: one row of the result for each row of ``y``.
        backend: see `geozoo.ops.steerable_sum`.

    Returns:
        The outputs of the product.

    Raises:
        ValueError: If a tensor has the wrong shape.
        IndexError: If an index names a row that does not exist.
        ImportError: If ``backend="numba"`` and numba is not installed.
    """
    _check(sources, y, product, target)
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {get_args(Backend)}, got {backend!r}")
    if not is_compiled(y, backend):
        return _as_written(sources, y, product, target)
    dtype = y.dtype
    for source in sources:
        dtype = torch.promote_types(dtype, source.x.dtype)
    from geozoo.ops.steerable._product_kernels import apply_kernels

    return apply_kernels(
        product, [each._replace(x=each.x.to(dtype)) for each in sources], y.to(dtype), target
    )


def _check(
    sources: Sequence[Rows], y: Tensor, product: SteerableProduct, target: Target | None
) -> None:
    if len(sources) != len(product.x_widths):
        raise ValueError(
            f"sources must have {len(product.x_widths)} entries, got {len(sources)}"
        )  # fmt: skip
    if y.dim() != 2 or y.shape[1] != product.y_width:
        raise ValueError(f"y must have shape (rows, {product.y_width}), got {tuple(y.shape)}")
    for number, (source, width) in enumerate(zip(sources, product.x_widths, strict=True)):
        if source.x.dim() != 2 or source.x.shape[1] != width:
            shape = tuple(source.x.shape)
            raise ValueError(f"source {number} must have shape (rows, {width}), got {shape}")
        count = source.x.shape[0] if source.rows is None else source.rows.shape[0]
        if count != y.shape[0]:
            raise ValueError(f"source {number} must have {y.shape[0]} rows as y, got {count}")
    if target is not None and target.rows.shape[0] != y.shape[0]:
        raise ValueError(f"target must have {y.shape[0]} rows as y, got {len(target.rows)}")


def _as_written(
    sources: Sequence[Rows], y: Tensor, product: SteerableProduct, target: Target | None
) -> tuple[Tensor, ...]:
    """The equation as written."""
    taken = [source.taken() for source in sources]
    found: list[list[Tensor]] = [[] for _ in product.out_widths]
    for path in product.paths:
        a, b, c = (2 * degree + 1 for degree in path.degrees)
        block = _block(taken[path.source], path.x, a, path.channels, path.x_stride)
        harmonic = None if path.y is None else y[:, path.y : path.y + b]
        part = path.scale * _coupled(block, harmonic, path.degrees)
        width = product.out_widths[path.output]
        whole = part.new_zeros(part.shape[0], c, path.out_stride)
        whole = torch.cat([part, whole[..., path.channels :]], 2).flatten(1)
        room = width - path.out
        whole = whole[:, :room] if whole.shape[1] > room else whole
        before, after = path.out, room - whole.shape[1]
        found[path.output].append(torch.nn.functional.pad(whole, (before, after)))
    outputs = [
        torch.stack(parts).sum(0) if parts else y.new_zeros(y.shape[0], width)
        for parts, width in zip(found, product.out_widths, strict=True)
    ]
    if target is None:
        return tuple(outputs)
    return tuple(scatter(each, target.rows, target.size) for each in outputs)
