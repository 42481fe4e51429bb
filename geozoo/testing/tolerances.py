"""Tolerances for comparing results, per dtype."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Tolerance(NamedTuple):
    """Allowed deviation ``absolute + relative * (largest expected magnitude)``.

    Attributes:
        relative: relative tolerance.
        absolute: absolute tolerance.
    """

    relative: float
    absolute: float


#: Default tolerances. In float64 a property must hold almost exactly; the other tolerances allow
#: for rounding errors of a network with a few layers.
TOLERANCES: dict[torch.dtype, Tolerance] = {
    torch.float64: Tolerance(1e-10, 1e-10),
    torch.float32: Tolerance(2e-4, 1e-5),
    torch.bfloat16: Tolerance(5e-2, 1e-2),
    torch.float16: Tolerance(2e-2, 2e-3),
}
