"""Constant sensor graphs with few edges as sparse matrices."""

from __future__ import annotations

import threading
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from geozoo.ops import is_textbook, is_traced
from geozoo.ops._tracing import is_autocast

#: A matrix with a larger share of non-zero entries is multiplied faster as a dense one.
LARGEST_DENSITY = 1 / 16
#: Smaller matrices are multiplied faster as dense ones.
FEWEST_NODES = 64

_LOCK = threading.Lock()


class SparseGraph(NamedTuple):
    """A graph ``[N, N]`` and its transpose in CSR form."""

    forward: Tensor
    back: Tensor


class _Known(NamedTuple):
    version: int
    graph: SparseGraph | None


# By graph, so that buffers of models are converted once; a changed graph is converted again.
_known = WeakIdKeyDictionary()


def sparse_graph(graph: Tensor, features: Tensor) -> SparseGraph | None:
    """Return the sparse form of a graph, or None if it should be multiplied as it is.

    Sparse products are used for constant graphs ``[N, N]`` with few edges, on CPUs. Their results
    agree with the dense ones up to rounding.

    Args:
        graph: weights.
        features: what is multiplied.
    """
    if graph.requires_grad or graph.device.type != "cpu" or len(graph) < FEWEST_NODES:
        return None
    if is_traced() or is_textbook() or is_autocast(graph) or not torch.backends.mkl.is_available():
        return None
    if graph.dtype not in (torch.float32, torch.float64) or graph.dtype != features.dtype:
        return None
    if type(graph) is not Tensor or graph.is_inference():  # without a version
        return None
    with _LOCK:
        known: _Known | None = _known.get(graph)
        if known is None or known.version != graph._version:
            known = _Known(graph._version, _converted(graph))
            _known[graph] = known
        return known.graph


def _converted(graph: Tensor) -> SparseGraph | None:
    if int(torch.count_nonzero(graph)) > LARGEST_DENSITY * graph.numel():
        return None
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return SparseGraph(_csr(graph), _csr(graph.mT))


def _csr(graph: Tensor) -> Tensor:
    found = graph.to_sparse_csr()
    # With indices of 32 bits, which the products need and would otherwise copy each time.
    indices = found.crow_indices().int(), found.col_indices().int()
    return torch.sparse_csr_tensor(*indices, found.values(), graph.shape, check_invariants=True)


class SparseProduct(torch.autograd.Function):
    """Product of a constant sparse graph with features ``[B, N, ...]``."""

    @staticmethod
    def forward(ctx: Any, graph: SparseGraph, h: Tensor) -> Tensor:
        ctx.graph = graph
        out = torch.zeros_like(h, memory_format=torch.contiguous_format)
        for one, found in zip(h.flatten(2), out.flatten(2), strict=True):
            found.addmm_(graph.forward, one.contiguous())  # `mm` would copy and clear its result
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        transposed = SparseGraph(ctx.graph.back, ctx.graph.forward)
        return None, SparseProduct.apply(transposed, grad)
