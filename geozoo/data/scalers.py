"""Statistics of training targets. Compute them on the training split only."""

from __future__ import annotations

import torch
from jaxtyping import Float, Num
from torch import Tensor


def mean_and_std(values: Num[Tensor, "S ..."]) -> tuple[float, float]:
    """Mean and population standard deviation over all entries, in float64.

    Raises:
        ValueError: If values are empty, NaN, infinite or all equal.
    """
    values = _finite("values", values)
    std = float(values.std(correction=0))
    if std == 0.0:
        raise ValueError("values are all equal: their standard deviation is 0, which cannot scale")
    return float(values.mean()), std


def energy_force_statistics(
    energy: Float[Tensor, " S"], forces: Float[Tensor, "N 3"]
) -> dict[str, float]:
    r"""Shift and scale of energies and forces.

    The shift is the mean energy. Energies and forces share one scale, the root mean square of the
    force components, :math:`\sqrt{\tfrac{1}{3N}\sum_{i,a} F_{ia}^2}`, so that the scaled force
    remains the negative gradient of the scaled energy (lengths are not scaled).

    Args:
        energy: energies of the training split.
        forces: forces of the training split.

    Returns:
        ``energy_shift`` in the unit of the energy, and ``energy_scale``, one number for energies
        in their unit and forces in that unit per unit length.

    Raises:
        ValueError: If values are empty, NaN or infinite, or all forces are zero.
    """
    energy, forces = _finite("energy", energy), _finite("forces", forces)
    scale = float(forces.square().mean().sqrt())
    if scale == 0.0:
        raise ValueError("forces are all zero: they cannot determine the energy scale")
    return {"energy_shift": float(energy.mean()), "energy_scale": scale}


def _finite(name: str, values: Tensor) -> Tensor:
    values = values.detach().to(torch.float64)
    if values.numel() == 0:
        raise ValueError(f"{name} is empty: statistics need at least one value")
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{name} contains NaN or infinite values")
    return values
