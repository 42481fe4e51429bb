"""Triton sums over edges as autograd functions with derivatives of any order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geozoo.ops._triton_kernels import launch_edge_product, launch_kernel_sum, launch_weighted_sum
from geozoo.ops.sorted_edges import SortedEdges


class KernelSum(torch.autograd.Function):
    """Kernels times features, summed over the edges of each target; see `geozoo.ops.kernel_sum`."""

    @staticmethod
    def forward(ctx: Any, basis: Tensor, weight: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
        ctx.save_for_backward(basis, weight, x)
        ctx.edges = edges
        return launch_kernel_sum(basis, weight, x, edges)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        basis, weight, x = ctx.saved_tensors
        by_basis = by_weight = by_x = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            by_kernel = EdgeProduct.apply(grad, x, ctx.edges)
        if ctx.needs_input_grad[0]:
            by_basis = by_kernel @ weight
        if ctx.needs_input_grad[1]:
            by_weight = by_kernel.flatten(0, -2).T @ basis.flatten(0, -2)
        if ctx.needs_input_grad[2]:
            by_x = KernelSum.apply(basis, weight, grad, ctx.edges.reversed())
        return by_basis, by_weight, by_x, None


class EdgeProduct(torch.autograd.Function):
    """Product of the features at both ends of each edge."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
        ctx.save_for_backward(y, x)
        ctx.edges = edges
        return launch_edge_product(y, x, edges)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, x = ctx.saved_tensors
        by_y = by_x = None
        if ctx.needs_input_grad[0]:
            by_y = WeightedSum.apply(grad, x, ctx.edges)
        if ctx.needs_input_grad[1]:
            by_x = WeightedSum.apply(grad, y, ctx.edges.reversed())
        return by_y, by_x, None


class WeightedSum(torch.autograd.Function):
    """Weights times features, summed over the edges of each target."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, edges: SortedEdges) -> Tensor:
        ctx.save_for_backward(weight, x)
        ctx.edges = edges
        return launch_weighted_sum(weight, x, edges)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, x = ctx.saved_tensors
        by_weight = by_x = None
        if ctx.needs_input_grad[0]:
            by_weight = EdgeProduct.apply(grad, x, ctx.edges)
        if ctx.needs_input_grad[1]:
            by_x = WeightedSum.apply(weight, grad, ctx.edges.reversed())
        return by_weight, by_x, None
