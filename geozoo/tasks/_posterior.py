"""Gaussian posterior of the last weights of a potential, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.tasks._last_layer import FeaturePass

#: Prior precisions that are tried, relative to the largest eigenvalue of the curvature.
_PRIORS = torch.logspace(-12, 1, 53, dtype=torch.float64)
#: Standard deviations that a normal variable does not exceed with a probability of 68 and 95 %.
_INTERVALS = {"coverage_68": 0.9944578832, "coverage_95": 1.9599639845}


@dataclass(frozen=True)
class Calibration:
    """Scale and prior of the uncertainties of one quantity, fitted to the validation split.

    Attributes:
        alpha: factor of the standard deviations.
        zeta: square root of the prior precision that is added to the curvature.
        count: number of validation energies or force components.
        coverage_68: fraction of their errors within the 68 % interval.
        coverage_95: fraction of their errors within the 95 % interval.
        largest: largest standard deviation among them, in the unit of the data, of energies per
            atom. Predictions with larger ones are extrapolations.
    """

    alpha: float
    zeta: float
    count: int
    coverage_68: float
    coverage_95: float
    largest: float


class Fitted(NamedTuple):
    """The result of `fit_scale`: ``alpha``, ``zeta``, and the standard deviations ``[n]``."""

    alpha: float
    zeta: float
    std: Tensor


class LastLayerPosterior:
    r"""Uncertainties of energies and forces from the last layers of a trained potential.

    .. math:: \Sigma = \alpha^2 (F + \zeta^2 1)^{-1}, \qquad
        F = \sum_s w_E f_s f_s^T + \sum_s \sum_i w_F\, g_{si} g_{si}^T, \qquad
        \mathrm{var}(y) = f_y^T \Sigma f_y

    with the features f of energies and g of force components of the training split, weighted as in
    the loss (`FeaturePass`). Scale and prior are those of the largest likelihood of the errors on
    the validation split, separately for energies and forces.

    Args:
        curvature: F ``[P, P]``.
        energy: calibration of energies; None: not calibrated.
        force: calibration of forces; None: not calibrated.

    Raises:
        ValueError: If the curvature is not a symmetric matrix of finite numbers, or zero.

    Reference:
        F. Bigi, S. Chong, M. Ceriotti, F. Grasselli, A prediction rigidity formalism for low-cost
        uncertainties in trained neural networks, Mach. Learn.: Sci. Technol. 5, 045018 (2024),
        arXiv:2403.02251.
    """

    def __init__(
        self,
        curvature: Float[Tensor, "P P"],
        *,
        energy: Calibration | None = None,
        force: Calibration | None = None,
    ) -> None:
        curvature = curvature.double()
        is_square = curvature.ndim == 2 and curvature.shape[0] == curvature.shape[1]
        if not is_square or not bool(curvature.isfinite().all()):
            raise ValueError(
                "curvature must be a square matrix of finite numbers, got shape "
                f"{tuple(curvature.shape)}"
            )
        if not bool(curvature.any()) or not torch.allclose(curvature, curvature.T):
            raise ValueError("curvature must be symmetric and not zero")
        self.curvature = curvature
        values, self.vectors = torch.linalg.eigh(curvature)
        self.values = values.clamp(min=0)  # of a sum of squares; below it is rounding
        self.energy, self.force = energy, force

    @property
    def size(self) -> int:
        """Number of weights."""
        return len(self.curvature)

    @property
    def device(self) -> torch.device:
        """Device of the posterior."""
        return self.curvature.device

    def calibration(self, quantity: str) -> Calibration:
        """The calibration of ``"energy"`` or ``"force"``.

        Raises:
            ValueError: If the quantity is not calibrated.
        """
        found: Calibration | None = getattr(self, quantity)
        if found is None:
            raise ValueError(f"the uncertainty of the {quantity} is not calibrated")
        return found

    def root(self, quantity: str) -> Tensor:
        r"""Matrix R ``[P, P]`` with :math:`\Sigma = R R^T` for energies or forces."""
        known = self.calibration(quantity)
        return self.vectors * (known.alpha / (self.values + known.zeta**2).sqrt())

    def std_of(self, features: FeaturePass, *, forces: bool) -> dict[str, Tensor]:
        """Standard deviations in normalised units, in float64.

        Args:
            features: a forward pass on the device of the posterior.
            forces: whether to return ``force_std [N, dim]``, besides ``energy_std [G]``.

        Raises:
            ValueError: If a quantity is not calibrated.
        """
        found = {"energy_std": (features.of_energies() @ self.root("energy")).norm(dim=1)}
        if forces:
            columns = features.of_forces(self.root("force"))
            total = next(columns).square()
            for column in columns:
                total += column.square()
            found["force_std"] = total.sqrt()
        return found

    def to(self, device: torch.device | str) -> LastLayerPosterior:
        """A copy on a device."""
        return LastLayerPosterior(self.curvature.to(device), energy=self.energy, force=self.force)


def fit_scale(
    projected: Float[Tensor, "n P"], values: Float[Tensor, " P"], errors: Float[Tensor, " n"]
) -> Fitted:
    r"""Scale and prior with the largest Gaussian likelihood of some errors.

    For each prior, the scale is known in closed form: :math:`\alpha^2 = \langle e^2 / v \rangle`
    with the variances v for :math:`\alpha = 1`.

    Args:
        projected: features times the eigenvectors of the curvature.
        values: its eigenvalues.
        errors: errors of the predictions.

    Raises:
        ValueError: If there are fewer than two errors, or all are zero.
    """
    if len(errors) < 2 or not bool(errors.any()):
        raise ValueError(
            "calibration needs at least two validation targets, and errors other than 0, got "
            f"{len(errors)} targets"
        )
    squares, best = projected.square(), (math.inf, 0.0, 0.0)
    varies = squares.any(1)  # force components that vanish by symmetry do not vary
    for prior in (_PRIORS.to(values.device) * values.max()).tolist():
        variance = squares[varies] @ (1 / (values + prior))
        alpha = (errors[varies].square() / variance).mean().sqrt()
        loss = float((alpha.square() * variance).log().mean())
        if loss < best[0]:
            best = loss, float(alpha), prior
    _, scale, prior = best
    std = scale * (squares @ (1 / (values + prior))).sqrt()
    return Fitted(scale, math.sqrt(prior), std)


def coverage(errors: Tensor, std: Tensor) -> dict[str, float]:
    """Fractions of errors within the 68 and 95 % intervals of normal distributions.

    Args:
        errors: errors of predictions.
        std: their predicted standard deviations.

    >>> coverage(torch.tensor([0.5, 1.5, 3.0, 0.1]), torch.ones(4))
    {'coverage_68': 0.5, 'coverage_95': 0.75}
    """
    return {
        name: float((errors.abs() <= width * std).double().mean())
        for name, width in _INTERVALS.items()
    }
