"""Options of MACE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from geozoo.checks import check_choice, check_positive

Residual = Literal["later", "all", "none"]


@dataclass(frozen=True)
class MACEBlocks:
    """Radial functions, residuals and readouts of MACE.

    Attributes:
        num_basis: number of radial Bessel functions.
        radial_channels: widths of the hidden layers of the radial networks.
        power: exponent of the polynomial cutoff.
        residual: layers to which the features of the layer before are added, through a
            species-dependent linear map. ``"later"``: all but the first; ``"all"``; ``"none"``. In
            the other layers such a map acts on the atomic basis instead. With ``"later"`` and
            ``"none"``, outputs vanish for nodes without neighbours; with ``"all"`` they depend
            on the node's own features.
        readout_channels: hidden channels of the last readout.

    Raises:
        ValueError: If a size is below 1, ``power`` is below 2, or ``residual`` is unknown.
    """

    num_basis: int = 8
    radial_channels: Sequence[int] = (64, 64, 64)
    power: int = 5
    residual: Residual = "later"
    readout_channels: int = 16

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(num_basis=self.num_basis, readout_channels=self.readout_channels)
        if isinstance(self.radial_channels, (str, int)) or not len(self.radial_channels):
            raise ValueError(
                "radial_channels must be a list of widths, such as [64, 64, 64], got "
                f"{self.radial_channels!r}"
            )
        for width in self.radial_channels:
            check_positive(radial_channels=width)
        if self.power < 2:
            raise ValueError(f"power must be at least 2, got {self.power!r}")
        check_choice("residual", self.residual, get_args(Residual))
