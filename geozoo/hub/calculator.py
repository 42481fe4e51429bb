"""Trained potentials in ASE: energies and forces for relaxation, dynamics, vibrations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from geozoo.data import structure_of
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.loading import TrainedModel, load
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store
from geozoo.tasks import Potential

_EV_PER_MEV = 1e-3


class GeozooCalculator(Calculator):
    """Energies in eV and conservative forces in eV/angstrom of isolated molecules.

    The forces are the exact negative gradient of the energy, so that molecular dynamics conserves
    energy up to the time step and rounding. There is no stress: interactions do not reach across
    the cell of a periodic structure, which is refused.

    With several models energy and forces are means, and ``results`` moreover holds ``energy_std``
    and ``forces_std``, the standard deviations over the models.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; several of these,
            or an ensemble, for their mean.
        device: where to evaluate it.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics and finite differences; None: the
            precision of the model's training.
        any_composition: answer for compositions whose energies the training does not determine, too
            (see `geozoo.tasks.Potential`).
        options: arguments of ASE's calculator.

    Raises:
        FileNotFoundError: when there is no such model.
        ValueError: for a model that is no potential, or another dtype.

    ``atoms.calc = GeozooCalculator("runs/my_model")`` is all that a script of ASE needs.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces"]

    def __init__(
        self,
        model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
        *,
        device: torch.device | str = "cpu",
        dtype: str | None = None,
        any_composition: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if dtype not in (None, "float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
        is_loaded = isinstance(model, (TrainedModel, Ensemble))
        self.model = copy.deepcopy(model) if is_loaded else load(model)
        if not isinstance(self.model.task, Potential):
            raise ValueError(
                f"{self.model.name} predicts {', '.join(self.model.units)}, which is no energy "
                "with forces"
            )
        self.model.to(device)
        if dtype is not None:
            self.model.cast(getattr(torch, dtype))
        if any_composition:
            allow_any_composition(self.model)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results`` with energy and forces; ``free_energy`` is the energy, as ASE asks for.

        Raises:
            PropertyNotImplementedError: for stress or anything else.
            ValueError: for a periodic structure, one with elements that the training never had, or
                one of a composition whose energies the training does not determine.
        """
        super().calculate(atoms, properties, system_changes)
        further = set(properties) - set(self.implemented_properties)
        if further:
            raise PropertyNotImplementedError(
                f"{self.model.name} gives energy and forces, not {', '.join(sorted(further))}: its "
                "interactions do not reach across a cell"
            )
        if self.atoms.pbc.any():
            raise ValueError(
                f"the structure is periodic (pbc {self.atoms.pbc.tolist()}); {self.model.name} is "
                "for isolated molecules"
            )
        structure = structure_of(self.atoms, "the structure")
        store = structure_store(self.model.spec, [structure])
        found = predict_store(self.model, store)
        self.results = {
            "energy": float(found["energy"][0]) * _EV_PER_MEV,
            "forces": found["force"].double().numpy() * _EV_PER_MEV,
        }
        # What forces are the gradient of: ASE's finite differences and optimizers look for it.
        self.results["free_energy"] = self.results["energy"]
        if "energy_std" in found:
            self.results["energy_std"] = float(found["energy_std"][0]) * _EV_PER_MEV
            self.results["forces_std"] = found["force_std"].double().numpy() * _EV_PER_MEV
