"""Smooth cutoff functions."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_radius


class PolynomialWindow(nn.Module):
    r"""Polynomial envelope: 1 at distance 0; zero value, first and second derivative at the cutoff.

    .. math:: w(u) = 1 - \tfrac{(p+1)(p+2)}{2} u^p + p (p+2) u^{p+1} - \tfrac{p (p+1)}{2} u^{p+2}

    for :math:`u = d / r < 1`, and 0 otherwise.

    Args:
        radius: cutoff r in the length unit of the data, positive; None: the window is 1.
        power: exponent p, at least 2.

    Raises:
        ValueError: If ``radius`` is not positive or ``power`` is below 2.

    Reference:
        J. Gasteiger et al., Directional Message Passing for Molecular Graphs, ICLR 2020, eq. 8
        (there divided by the distance).

    >>> PolynomialWindow(2.0)(torch.tensor([0.0, 1.0, 2.0]))
    tensor([1.0000, 0.8555, 0.0000])
    """

    def __init__(self, radius: float | None, power: int = 6) -> None:
        super().__init__()
        check_radius(radius, optional=True)
        if power < 2:
            raise ValueError(f"power must be at least 2, got {power!r}")
        self.radius = radius
        self.power = power

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the envelope at each distance."""
        if self.radius is None:
            return torch.ones_like(distance)
        p = self.power
        u = distance / self.radius
        polynomial = (
            1
            - (p + 1) * (p + 2) / 2 * u**p
            + p * (p + 2) * u ** (p + 1)
            - p * (p + 1) / 2 * u ** (p + 2)
        )
        return torch.where(u < 1, polynomial, torch.zeros_like(u))

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"radius={self.radius}, power={self.power}"


class CosineWindow(nn.Module):
    r"""Cosine cutoff: 1 at distance 0; zero value and first derivative at the cutoff.

    .. math:: w(d) = \tfrac12 \bigl(\cos(\pi d / r) + 1\bigr)

    for :math:`d < r`, and 0 otherwise.

    Args:
        radius: cutoff r in the length unit of the data.

    Raises:
        ValueError: If ``radius`` is not positive.

    Reference:
        J. Behler, J. Chem. Phys. 134, 074106 (2011), eq. 4.

    >>> CosineWindow(2.0)(torch.tensor([0.0, 1.0, 2.0]))
    tensor([1.0000, 0.5000, 0.0000])
    """

    def __init__(self, radius: float) -> None:
        super().__init__()
        check_radius(radius)
        self.radius = radius

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the cutoff function at each distance."""
        wave = 0.5 * (torch.cos(distance * (math.pi / self.radius)) + 1.0)
        return torch.where(distance < self.radius, wave, torch.zeros_like(wave))

    def extra_repr(self) -> str:
        """Return the size for ``repr``."""
        return f"radius={self.radius}"


class XplorWindow(nn.Module):
    r"""Switching function of CHARMM and X-PLOR: 1 up to a distance, then smoothly to 0.

    .. math:: w(d) = \frac{(r^2 - d^2)^2 (r^2 + 2 d^2 - 3 s^2)}{(r^2 - s^2)^3}

    for :math:`s \le d < r`, 1 below and 0 above; its first derivative is continuous.

    Args:
        radius: cutoff r in the length unit of the data.
        start: distance s from which the function decreases, from 0 to below r.

    Raises:
        ValueError: If ``radius`` is not positive, or ``start`` is negative or not below it.

    Reference:
        B. R. Brooks et al., CHARMM, J. Comput. Chem. 4, 187 (1983), switching function.

    >>> XplorWindow(2.0, 1.0)(torch.tensor([1.0, 1.5, 2.0]))
    tensor([1.0000, 0.6238, 0.0000])
    """

    def __init__(self, radius: float, start: float) -> None:
        super().__init__()
        check_radius(radius)
        if not 0 <= start < radius:
            raise ValueError(f"start must be from 0 to below radius={radius}, got {start!r}")
        self.radius, self.start = radius, start

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the cutoff function at each distance."""
        last, first = self.radius**2, self.start**2
        square = distance.clamp_min(self.start).square()
        switch = (last - square) ** 2 * (last + 2 * square - 3 * first) / (last - first) ** 3
        return torch.where(distance < self.radius, switch, torch.zeros_like(switch))

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"radius={self.radius}, start={self.start}"
