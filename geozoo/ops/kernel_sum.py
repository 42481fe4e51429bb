"""Fused evaluation and summation of convolution kernels over edges, if Triton is available."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_autocast, is_traced
from geozoo.ops.sorted_edges import SortedEdges
from geozoo.ops.weighted_sum import weighted_sum

_LOG = logging.getLogger(__name__)


def kernel_sum(
    basis: Float[Tensor, "E ... K"],
    weight: Float[Tensor, "C K"],
    x: Float[Tensor, "N ... C"],
    edges: SortedEdges,
) -> Float[Tensor, "N ... C"]:
    r"""Sum features times a depthwise kernel over the edges of each target.

    .. math:: y_i = \sum_{e:\, \mathrm{target}_e = i} (W b_e) \odot x_{\mathrm{source}_e}

    On a GPU with Triton, one program evaluates the kernels on the edges of a target, multiplies
    them by the gathered features and accumulates the sum: neither kernels ``[E, ..., C]`` nor
    messages are written to memory, and the order of summation is deterministic. The same holds for
    derivatives of any order, except that those with respect to ``basis`` and ``weight`` temporarily
    hold one array ``[E, ..., C]``. Without Triton, in mixed precision and under a compiler,
    `weighted_sum` computes the same; a device without Triton is logged once.

    Args:
        basis: basis values of each edge and, if features have them, orientation.
        weight: the kernel as a linear map of the basis.
        x: features; the middle axis, if any, is that of ``basis``.
        edges: the edges between the N nodes.

    Raises:
        ValueError: If shapes do not match.
    """
    _check(basis, weight, x, edges)
    if _is_plain(x) or not _has_triton(x.device.type):
        kernel = functional.linear(basis, weight)
        return weighted_sum(kernel, x, [(edges.source, edges.target)], edges.num_nodes)
    from geozoo.ops._triton_sum import KernelSum

    dtype = torch.promote_types(basis.dtype, torch.promote_types(weight.dtype, x.dtype))
    return KernelSum.apply(basis.to(dtype), weight.to(dtype), x.to(dtype), edges)


def _is_plain(x: Tensor) -> bool:
    return is_traced() or is_textbook() or is_autocast(x)


@lru_cache
def _has_triton(device: str) -> bool:
    """Whether Triton kernels can run on the device: on a GPU, or in Triton's interpreter."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    has = importlib.util.find_spec("triton") is not None and (device == "cuda" or interpreted)
    if not has:
        _LOG.warning(
            "Triton is not available for device %r: kernels and sums over edges are not fused",
            device,
        )
    return has


def _check(basis: Tensor, weight: Tensor, x: Tensor, edges: SortedEdges) -> None:
    num_edges, num_nodes = len(edges.source), edges.num_nodes
    middle, channels = x.shape[1:-1], x.shape[-1]
    if x.dim() not in (2, 3) or len(x) != num_nodes:
        raise ValueError(f"x must be [{num_nodes}, C] or [{num_nodes}, O, C], got {(*x.shape,)}")
    if basis.shape[:-1] != (num_edges, *middle):
        raise ValueError(
            f"basis must have the leading axes {(num_edges, *middle)}, got {(*basis.shape,)}"
        )
    if weight.shape != (channels, basis.shape[-1]):
        raise ValueError(f"weight must be {(channels, basis.shape[-1])}, got {tuple(weight.shape)}")
