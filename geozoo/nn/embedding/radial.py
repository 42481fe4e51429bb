"""Radial basis functions of the distance."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_radius
from geozoo.ops import smooth_sinc


class GaussianBasis(nn.Module):
    r"""Gaussians with equally spaced centres from 0 to the cutoff.

    .. math:: b_k(d) = \exp\Bigl(-\frac{(d - \mu_k)^2}{2 \Delta^2}\Bigr), \quad
        \mu_k = k \Delta, \quad \Delta = \frac{r}{K - 1}

    Args:
        num_basis: number K of functions, at least 2.
        radius: cutoff r in the unit of the distances.

    Raises:
        ValueError: If there are fewer than two functions, or the radius is not positive.

    Reference:
        K. T. Schuett et al., SchNet, NeurIPS 2017, arXiv:1706.08566, section 4.1.

    >>> GaussianBasis(3, 2.0)(torch.tensor([0.0, 1.0])).argmax(-1).tolist()
    [0, 1]
    """

    centers: Tensor

    def __init__(self, num_basis: int, radius: float) -> None:
        super().__init__()
        _check(num_basis, radius, least=2)
        self.register_buffer("centers", torch.linspace(0.0, radius, num_basis, dtype=torch.float64))
        self.scale = -0.5 * ((num_basis - 1) / radius) ** 2

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch K"]:
        """Return the values of all basis functions."""
        offset = distance.unsqueeze(-1) - self.centers.to(distance.dtype)
        return torch.exp(self.scale * offset.square())


class BesselBasis(nn.Module):
    r"""Spherical Bessel functions of order zero that vanish at the cutoff.

    .. math:: b_k(d) = \sqrt{\tfrac{2}{r}}\, \frac{\sin(k \pi d / r)}{d}, \quad k = 1 \dots K

    Smooth at :math:`d = 0`.

    Args:
        num_basis: number K of functions.
        radius: cutoff r in the unit of the distances.
        trainable: whether the frequencies k are trained, from these initial values.

    Raises:
        ValueError: If there is no function, or the radius is not positive.

    Reference:
        J. Gasteiger, J. Gross, S. Guennemann, Directional Message Passing for Molecular Graphs,
        ICLR 2020, arXiv:2003.03123, eq. 7.
    """

    order: Tensor

    def __init__(self, num_basis: int, radius: float, *, trainable: bool = False) -> None:
        super().__init__()
        _check(num_basis, radius, least=1)
        if trainable:
            self.order = nn.Parameter(torch.arange(1, num_basis + 1).to(torch.get_default_dtype()))
        else:
            self.register_buffer("order", torch.arange(1, num_basis + 1, dtype=torch.float64))
        self.radius = radius

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch K"]:
        """Return the values of all basis functions."""
        order = self.order.to(distance.dtype) / self.radius
        factor = math.sqrt(2.0 / self.radius) * math.pi * order
        return factor * smooth_sinc(distance.unsqueeze(-1) * order)


class ExponentialBasis(nn.Module):
    r"""Gaussians of :math:`e^{-d}`, with equally spaced centres from its value at the cutoff to 1.

    .. math:: b_k(d) = \exp\bigl(-\beta (e^{-d} - \mu_k)^2\bigr), \quad
        \mu_k = e^{-r} + k\, \frac{1 - e^{-r}}{K - 1}, \quad
        \beta = \Bigl(\frac{2}{K} (1 - e^{-r})\Bigr)^{-2}

    Higher resolution at short distances. For distances of order 1, such as in angstrom.

    Args:
        num_basis: number K of functions, at least 2.
        radius: cutoff r in the unit of the distances.

    Raises:
        ValueError: If there are fewer than two functions, or the radius is not positive.

    Reference:
        O. T. Unke, M. Meuwly, PhysNet, J. Chem. Theory Comput. 15, 3678 (2019), eq. 7.

    >>> ExponentialBasis(3, 5.0)(torch.tensor([0.0, 5.0])).argmax(-1).tolist()
    [2, 0]
    """

    centers: Tensor

    def __init__(self, num_basis: int, radius: float) -> None:
        super().__init__()
        _check(num_basis, radius, least=2)
        least = math.exp(-radius)
        centers = torch.linspace(least, 1.0, num_basis, dtype=torch.float64)
        self.register_buffer("centers", centers)
        self.scale = -((2 / num_basis * (1 - least)) ** -2)

    def forward(self, distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch K"]:
        """Return the values of all basis functions."""
        offset = torch.exp(-distance).unsqueeze(-1) - self.centers.to(distance.dtype)
        return torch.exp(self.scale * offset.square())


def _check(num_basis: int, radius: float, *, least: int) -> None:
    if num_basis < least:
        raise ValueError(f"num_basis must be at least {least}, got {num_basis!r}")
    check_radius(radius)
