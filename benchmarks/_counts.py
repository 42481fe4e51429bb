"""The work of a step: FLOPs of matrix products, and memory traffic of all operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class _ByteCounter(TorchDispatchMode):
    """Sums the bytes that all operations read and write, as if each ran by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            parts = tree_leaves((args, kwargs, out))
            self.total += sum(part.nbytes for part in parts if isinstance(part, Tensor))
        return out


def _convolution_backward(
    grad_shape: Sequence[int], x_shape: Sequence[int], weight_shape: Sequence[int], *rest: Any,
    **_: Any,
) -> int:  # fmt: skip
    """FLOPs of a convolution's derivatives; torch's own count ignores groups."""
    forward = 2 * math.prod(grad_shape) * math.prod(weight_shape[1:])
    by_x, by_weight, _ = rest[-1]
    return forward * (by_x + by_weight)


_COUNTED = {torch.ops.aten.convolution_backward: _convolution_backward}


class _Whole:
    """Replaces torch's counts per module, whose hooks refuse positions that require gradients."""

    parents = frozenset({"Global"})

    def __enter__(self) -> _Whole:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def counted(step: Callable[[], float]) -> dict[str, float]:
    """GFLOP of matrix products and convolutions in a step, and GB of memory traffic in total."""
    flops = FlopCounterMode(display=False, custom_mapping=_COUNTED)
    flops.mod_tracker = _Whole()
    with flops:
        step()
    with _ByteCounter() as counter:
        step()
    return {"gflop": 1e-9 * flops.get_total_flops(), "gbytes": 1e-9 * counter.total}


def floor_seconds(counts: dict[str, float], peaks: dict[str, float]) -> float:
    """Seconds that the matrix products of a step take at the measured peak."""
    return counts["gflop"] / peaks["peak_gflops"]
