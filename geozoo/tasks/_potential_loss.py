"""The loss of a potential, for frames with and without each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import SumMetric

from geozoo.data import GraphBatch
from geozoo.metrics import ErrorMeasures
from geozoo.tasks._derivatives import volumes

#: Name of each term of the loss in logs.
LOSSES = {
    "energy": "energy_loss", "force": "force_loss", "virial": "stress_loss",
    "atom_energy": "atom_energy_loss", "dipole": "dipole_loss",
}  # fmt: skip
#: With larger weights, losses overflow float32.
_LARGEST_WEIGHT = 1e15
#: Terms of the loss, and the batch field that says which graphs have the target.
_KNOWN = {
    "energy": None, "force": "has_forces", "virial": "has_stress",
    "atom_energy": "has_atom_energies", "dipole": "has_dipole",
}  # fmt: skip
#: Terms with one row per node.
_OF_NODES = ("force", "atom_energy")


@dataclass(frozen=True)
class PotentialLoss:
    r"""Weighted mean squared errors of energies, forces, virials, ..., in normalised units.

    Attributes:
        energy_weight: weight of the energy term.
        force_weight: weight of the force term.
        stress_weight: weight of the stress term, the error of the virial per atom
            :math:`V \sigma / n`, which has the unit of an energy.
        energy_per_atom: divide energy errors by the number of atoms.
        huber_delta: errors beyond this value, in normalised units, count linearly (twice the Huber
            loss, which equals the squared error of smaller ones); None: squared errors.
        atom_energy_weight: weight of the energies of atoms; 0: they are not learned.
        dipole_weight: weight of the dipoles; 0: the model has none.

    Raises:
        ValueError: If a weight is negative, NaN, or so large that the loss would overflow float32,
            or ``huber_delta`` is not positive.
    """

    energy_weight: float
    force_weight: float
    stress_weight: float
    energy_per_atom: bool = False
    huber_delta: float | None = None
    atom_energy_weight: float = 0.0
    dipole_weight: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name in (each.name for each in fields(self) if each.name.endswith("_weight")):
            weight = getattr(self, name)
            if not 0 <= weight <= _LARGEST_WEIGHT:
                raise ValueError(f"{name} must be in 0..{_LARGEST_WEIGHT:g}, got {weight!r}")
        if self.huber_delta is not None and not self.huber_delta > 0:
            raise ValueError(f"huber_delta must be positive or null, got {self.huber_delta!r}")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each term."""
        return {
            "energy": self.energy_weight, "force": self.force_weight, "virial": self.stress_weight,
            "atom_energy": self.atom_energy_weight, "dipole": self.dipole_weight,
        }  # fmt: skip

    def errors(
        self, found: Mapping[str, Tensor | None], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Errors of each term that has targets, one row per graph or node.

        Args:
            found: energies, forces, virials, ... in normalised units.
            targets: those of `loss_targets`.
        """
        errors = {}
        for name in _KNOWN:
            if name in targets and (value := found[name]) is not None:
                errors[name] = value - targets[name].to(value.dtype)
        atoms = targets["atoms"]
        if self.energy_per_atom:
            errors["energy"] = errors["energy"] / atoms.to(errors["energy"].dtype)
        if "virial" in errors:
            errors["virial"] = errors["virial"] / atoms[:, None, None].to(errors["virial"].dtype)
        return errors

    def means(
        self, errors: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor | None]]:
        """The mean of each term, and the number of rows it is taken over (None: all)."""
        return {
            name: _mean(
                error, self.huber_delta, targets.get(f"{name}_weight"),
                targets.get(f"{name}_known"),
            )
            for name, error in errors.items()
        }  # fmt: skip

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of terms."""
        parts = [self.weights[name] * value for name, value in terms.items()]
        return sum(parts[1:], parts[0])


def loss_targets(
    batch: GraphBatch,
    energy: Tensor,
    scale: Tensor,
    dtype: torch.dtype,
    *,
    has_stress: bool,
    further: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Targets of the loss in normalised units, and which rows count.

    Args:
        batch: the graphs.
        energy: target energies ``[G]`` in normalised units.
        scale: unit of the energies.
        dtype: precision of the network.
        has_stress: whether the stress is a target.
        further: targets ``atom_energy`` and ``dipole`` in normalised units.

    Returns:
        ``energy``, ``force``, those of ``further``, and, with stress, ``virial``; ``atoms [G]``;
        ``<term>_known`` (bool) and ``<term>_weight`` of each row, if not all rows count the same.
    """
    targets = {"energy": energy.to(dtype), "force": (batch.forces / scale).to(dtype)}
    if has_stress:
        volume, _ = volumes(batch.cell, batch.pbc)
        targets["virial"] = (-batch.stress * volume[:, None, None] / scale).to(dtype)
    targets |= {name: value.to(dtype) for name, value in (further or {}).items()}
    weight = batch.get("weight")
    for name, mask in _KNOWN.items():
        if name not in targets:
            continue
        known = None if mask is None else batch.get(mask)
        for kind, value in (("weight", weight), ("known", known)):
            if value is not None:
                rows = value.index_select(0, batch.batch) if name in _OF_NODES else value
                targets[f"{name}_{kind}"] = rows if kind == "known" else rows.to(dtype)
    return {**targets, "atoms": batch.ptr.diff()}


def _mean(
    error: Tensor, huber_delta: float | None, weight: Tensor | None, known: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    zero = torch.zeros_like(error)
    if weight is None and known is None and huber_delta is None:
        return functional.mse_loss(error, zero), None
    if huber_delta is None:
        values = error.square()
    else:
        values = 2 * functional.huber_loss(error, zero, reduction="none", delta=huber_delta)
    rows = values.flatten(1).mean(1) if values.ndim > 1 else values
    if weight is not None:
        rows = rows * weight
    if known is None:
        return rows.mean(), None
    count = known.sum()
    # A batch without any target of this kind contributes nothing.
    return torch.where(known, rows, 0.0).sum() / count.clamp(min=1), count


class TermMeans(ErrorMeasures):
    """Means of the terms of a loss over all batches and devices."""

    def __init__(self) -> None:
        super().__init__()
        # NaN stays NaN, since a diverged validation must be seen. (MeanMetric ignores its weights
        # with this strategy.)
        self.sums, self.counts = (
            nn.ModuleDict(
                {
                    name: SumMetric(nan_strategy="disable").set_dtype(torch.float64)
                    for name in _KNOWN
                }
            )
            for _ in range(2)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms."""
        return tuple(self.sums)

    def update(self, values: Mapping[str, Tensor], counts: Mapping[str, Tensor]) -> None:
        """Add means of a batch with the number of rows of each."""
        for name, value in values.items():
            count = counts[name].double()
            _sums(self.sums)[name].update(value.detach().double() * count)
            _sums(self.counts)[name].update(count)

    def compute(self) -> dict[str, Tensor]:
        """The mean of every term that has rows."""
        found = {}
        for name, total in _sums(self.sums).items():
            if total.update_called and bool(count := _sums(self.counts)[name].compute()):
                found[name] = total.compute() / count
        return found

    def reset(self) -> None:
        """Clear the accumulated means."""
        for each in (*_sums(self.sums).values(), *_sums(self.counts).values()):
            each.reset()


def _sums(modules: nn.ModuleDict) -> Mapping[str, SumMetric]:
    return cast(Mapping[str, SumMetric], modules)
