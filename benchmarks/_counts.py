"""How much work a step is, by formula: operations of products, and bytes of all operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class _ByteCounter(TorchDispatchMode):
    """Sums the bytes that every operation reads and writes, were each run by itself."""

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


def counted(step: Callable[[], float]) -> dict[str, float]:
    """GFLOP of matrix products and convolutions in a step, and GB of all its operations."""
    with FlopCounterMode(display=False) as flops:
        step()
    with _ByteCounter() as counter:
        step()
    return {"gflop": 1e-9 * flops.get_total_flops(), "gbytes": 1e-9 * counter.total}


def floor_seconds(counts: dict[str, float], peaks: dict[str, float]) -> float:
    """Seconds that the products of a step take at the measured peak."""
    return counts["gflop"] / peaks["peak_gflops"]
