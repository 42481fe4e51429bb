"""Channelwise products of components with a sparse table of coefficients and a weight per path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops._coupled_source import coupled_source
from geozoo.ops.steerable._compiled import generated
from geozoo.ops.steerable.sum import Backend, is_compiled


class Term(NamedTuple):
    """One entry of the table: ``coefficient * weight[path] * left[a] * right[b]`` adds to ``out``.

    Attributes:
        left: component of the left operand.
        right: component of the right operand.
        out: component of the result.
        path: row of the weights.
        coefficient: the factor.
    """

    left: int
    right: int
    out: int
    path: int
    coefficient: float


@dataclass(frozen=True)
class Coupling:
    """A table of coefficients of a product.

    Attributes:
        terms: entries that are not 0.
        sizes: number of components of the left operand, of the right one and of the result, and
            number of paths.

    Raises:
        ValueError: If a term lies outside of ``sizes``.
    """

    terms: tuple[Term, ...]
    sizes: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        """Check the terms."""
        for term in self.terms:
            if any(not 0 <= k < size for k, size in zip(term[:4], self.sizes, strict=True)):
                raise ValueError(f"terms must lie within sizes {self.sizes}, got {term}")

    def __hash__(self) -> int:
        """Computed once: compiled kernels are looked up by their table in every call."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.sizes))

    @cached_property
    def by_left(self) -> Coupling:
        """The table of the gradient of the left operand: right operand, gradient, left operand."""
        terms = tuple(Term(t.right, t.out, t.left, t.path, t.coefficient) for t in self.terms)
        left, right, out, paths = self.sizes
        return Coupling(terms, (right, out, left, paths))

    @cached_property
    def by_right(self) -> Coupling:
        """The table of the gradient of the right operand: left operand, gradient, right operand."""
        terms = tuple(Term(t.left, t.out, t.right, t.path, t.coefficient) for t in self.terms)
        left, right, out, paths = self.sizes
        return Coupling(terms, (left, out, right, paths))


def coupled_product(
    left: Float[Tensor, "N A C"],
    right: Float[Tensor, "N B C"],
    weight: Float[Tensor, "P C"],
    coupling: Coupling,
    *,
    backend: Backend = "auto",
) -> Float[Tensor, "N K C"]:
    r"""Multiply components of two tensors along a table, with one weight per path and channel.

    .. math:: z_{n k c} = \sum_{(a, b, k, p)} s_{a b k p}\, w_{p c}\, x_{n a c}\, y_{n b c}

    On a CPU with numba all terms of a channel are summed in one generated loop, whose table is part
    of its code; elsewhere term by term. Derivatives of any order are such products, and sums of
    them over rows.

    Args:
        left: components x of the left operand.
        right: components y of the right operand.
        weight: weight of each path.
        coupling: the table.
        backend: see `geozoo.ops.steerable_sum`.

    Raises:
        ValueError: If shapes do not match the table.
        ImportError: If ``backend="numba"`` and numba is not installed.

    >>> square = Coupling((Term(0, 0, 0, 0, 1.0), Term(1, 1, 0, 0, -1.0)), (2, 2, 1, 1))
    >>> z = torch.tensor([[[3.0], [2.0]]])
    >>> coupled_product(z, z, torch.ones(1, 1), square).tolist()
    [[[5.0]]]
    """
    a, b, _, paths = coupling.sizes
    rows, channels = left.shape[0], left.shape[-1]
    wanted: dict[str, tuple[int, ...]] = {
        "left": (rows, a, channels), "right": (rows, b, channels), "weight": (paths, channels),
    }  # fmt: skip
    for (name, shape), given in zip(wanted.items(), (left, right, weight), strict=True):
        if given.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(given.shape)}")
    if not is_compiled(left, backend):
        return _as_written(left, right, weight, coupling)
    dtype = torch.promote_types(torch.promote_types(left.dtype, right.dtype), weight.dtype)
    return _Product.apply(
        coupling, *(each.to(dtype).contiguous() for each in (left, right, weight))
    )


def _as_written(left: Tensor, right: Tensor, weight: Tensor, coupling: Coupling) -> Tensor:
    """The sum of the terms of each path, times its weight."""
    x, y, w = left.unbind(1), right.unbind(1), weight.unbind(0)
    zero = left.new_zeros(left.shape[0], left.shape[2])
    found: list[Tensor] = [zero] * coupling.sizes[2]
    for out, path in sorted({(t.out, t.path) for t in coupling.terms}):
        terms = [t for t in coupling.terms if (t.out, t.path) == (out, path)]
        total = sum((t.coefficient * x[t.left] * y[t.right] for t in terms), zero)
        found[out] = found[out] + w[path] * total
    return torch.stack(found, 1)


@lru_cache(maxsize=64)
def _kernels(coupling: Coupling, dtype: str) -> ModuleType:
    return generated(coupled_source(coupling, dtype), f"coupled_{dtype}")


def _run(loop: str, coupling: Coupling, *tensors: Tensor) -> None:
    kernels = _kernels(coupling, str(tensors[0].dtype).removeprefix("torch."))
    getattr(kernels, loop)(*(tensor.detach().contiguous().numpy() for tensor in tensors))


def _by_operands(
    ctx: Any, x: Tensor, y: Tensor, grad: Tensor, weight: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of both operands, the inputs 1 and 2, where they are needed."""
    coupling: Coupling = ctx.coupling
    by_x = by_y = None
    if ctx.needs_input_grad[1]:
        by_x = _Product.apply(coupling.by_left, y, grad, weight)
    if ctx.needs_input_grad[2]:
        by_y = _Product.apply(coupling.by_right, x, grad, weight)
    return by_x, by_y


class _Product(torch.autograd.Function):
    """The product."""

    @staticmethod
    def forward(ctx: Any, coupling: Coupling, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        ctx.coupling = coupling
        ctx.save_for_backward(x, y, weight)
        out = x.new_empty(x.shape[0], coupling.sizes[2], x.shape[2])
        _run("product", coupling, x, y, weight, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight = ctx.saved_tensors
        by_weight = None
        if ctx.needs_input_grad[3]:
            by_weight = _PathSums.apply(ctx.coupling, x, y, grad)
        return None, *_by_operands(ctx, x, y, grad, weight), by_weight


class _PathSums(torch.autograd.Function):
    """Sums over rows of the terms of each path, times a gradient of the result; ``[P, C]``."""

    @staticmethod
    def forward(ctx: Any, coupling: Coupling, x: Tensor, y: Tensor, grad: Tensor) -> Tensor:
        ctx.coupling = coupling
        ctx.save_for_backward(x, y, grad)
        out = x.new_zeros(coupling.sizes[3], x.shape[2])
        _run("path_sums", coupling, x, y, grad, out)
        return out

    @staticmethod
    def backward(ctx: Any, of_weight: Tensor) -> tuple[Tensor | None, ...]:
        x, y, grad = ctx.saved_tensors
        by_grad = None
        if ctx.needs_input_grad[3]:
            by_grad = _Product.apply(ctx.coupling, x, y, of_weight)
        return None, *_by_operands(ctx, x, y, grad, of_weight), by_grad
