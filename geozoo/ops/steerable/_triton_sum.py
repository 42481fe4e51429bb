"""The sum in Triton kernels, with derivatives of any order."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from geozoo.ops.steerable._triton_run import TritonEdges, check_triton, run_triton, triton_edges
from geozoo.ops.steerable._triton_source import ARRAYS, Array, others
from geozoo.ops.steerable.paths import SteerablePaths

if TYPE_CHECKING:
    from geozoo.ops.steerable.sum import EdgeRows


def triton_sum(
    x: Tensor, y: Tensor, w: Tensor, edges: EdgeRows, paths: SteerablePaths, count: int
) -> Tensor:
    """`geozoo.ops.steerable_sum` with ``backend="triton"``, for checked arguments."""
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), w.dtype)
    check_triton({"x": x, "y": y, "w": w, "edges": edges.sender}, dtype)
    given = [each.to(dtype) for each in (x, y, w)]
    sizes = dict(zip(ARRAYS, (len(x), len(y), len(w), count), strict=True))
    return _Derivative.apply("g", triton_edges(edges, sizes), paths, *given)


class _Derivative(torch.autograd.Function):
    """Derivative of the product of sum and gradient with respect to x, y, w or g.

    It is linear in each of the other three, so its gradients are such derivatives again, with the
    incoming gradient in the place of the target. Only products with the constant 1 are not linear
    in y: they have no derivative with respect to y, and are left out of it and of its gradients.
    """

    @staticmethod
    def forward(
        ctx: Any, target: Array, edges: TritonEdges, paths: SteerablePaths, *given: Tensor
    ) -> Tensor:
        ctx.save_for_backward(*given)
        paths = _varying(paths) if target == "y" else paths
        ctx.target, ctx.edges, ctx.paths = target, edges, paths
        return run_triton(target, given, edges, paths)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        names = others(ctx.target)
        arrays = dict(zip(names, ctx.saved_tensors, strict=True)) | {ctx.target: grad}
        found: list[Tensor | None] = []
        for name, needed in zip(names, ctx.needs_input_grad[3:], strict=True):
            rest = [arrays[each] for each in others(name)]
            found.append(_Derivative.apply(name, ctx.edges, ctx.paths, *rest) if needed else None)
        return (None, None, None, *found)


@lru_cache(maxsize=1024)
def _varying(paths: SteerablePaths) -> SteerablePaths:
    """The paths that depend on harmonics."""
    return replace(paths, paths=tuple(path for path in paths.paths if path.y is not None))
