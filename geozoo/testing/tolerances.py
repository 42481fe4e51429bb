"""How far two results that should be equal may lie apart, per dtype."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Tolerance(NamedTuple):
    """Allowed deviation ``absolute + relative * (largest expected magnitude)``.

    Attributes:
        relative: part that grows with the expected values.
        absolute: part that does not.
    """

    relative: float
    absolute: float


#: The one table of tolerances. float64 is where a property is shown to hold exactly; the others
#: allow for the rounding of a network of a few layers.
TOLERANCES: dict[torch.dtype, Tolerance] = {
    torch.float64: Tolerance(1e-10, 1e-10),
    torch.float32: Tolerance(2e-4, 1e-5),
    torch.bfloat16: Tolerance(5e-2, 1e-2),
    torch.float16: Tolerance(2e-2, 2e-3),
}
