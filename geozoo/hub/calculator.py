"""Trained potentials as ASE calculators: relaxation, molecular dynamics, vibrations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from geozoo.data import GeometricSpec, structure_of
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.loading import TrainedModel, load
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store
from geozoo.tasks import Potential

_EV_PER_MEV = 1e-3


class GeozooCalculator(Calculator):
    """Energies in eV and conservative forces in eV/angstrom of isolated molecules.

    The forces are the exact negative gradient of the energy, so molecular dynamics conserves
    energy up to time-step and rounding errors. Stress is not available: neighbour lists are not
    periodic, and periodic structures raise an error.

    With several models, energy and forces are means, and ``results`` also holds ``energy_std``
    and ``forces_std``, the standard deviations over the models.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics and finite differences; None: the
            precision the model was trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        options: arguments of ASE's ``Calculator``.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model is not a potential, or ``dtype`` is unknown.

    ``atoms.calc = GeozooCalculator("runs/my_model")`` is all that an ASE script needs.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces"]

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
        self.model: TrainedModel | Ensemble = (
            copy.deepcopy(model) if isinstance(model, (TrainedModel, Ensemble)) else load(model)
        )
        if not isinstance(self.model.task, Potential):
            raise ValueError(
                f"model must be a potential (energy and forces), but {self.model.name} predicts "
                f"{', '.join(self.model.units)}"
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
        """Fill ``results`` with energy and forces; ``free_energy`` equals the energy.

        Raises:
            PropertyNotImplementedError: If other properties, such as stress, are requested.
            ValueError: If the structure is periodic, contains elements absent from the training
                set, or has a composition whose energy the training set does not determine.
        """
        super().calculate(atoms, properties, system_changes)
        unsupported = set(properties) - set(self.implemented_properties)
        if unsupported:
            raise PropertyNotImplementedError(
                f"{self.model.name} predicts energy and forces, not "
                f"{', '.join(sorted(unsupported))}: periodic cells are not supported"
            )
        if self.atoms.pbc.any():
            raise ValueError(
                f"the structure is periodic (pbc={self.atoms.pbc.tolist()}); {self.model.name} "
                "supports isolated molecules only"
            )
        structure = structure_of(self.atoms, "the structure")
        spec = self.model.spec
        assert isinstance(spec, GeometricSpec)  # that of a potential
        store = structure_store(spec, [structure])
        predicted = predict_store(self.model, store)
        self.results = {
            "energy": float(predicted["energy"][0]) * _EV_PER_MEV,
            "forces": predicted["force"].double().numpy() * _EV_PER_MEV,
        }
        # ASE's optimisers and finite differences request the free energy, consistent with forces.
        self.results["free_energy"] = self.results["energy"]
        if "energy_std" in predicted:
            self.results["energy_std"] = float(predicted["energy_std"][0]) * _EV_PER_MEV
            self.results["forces_std"] = predicted["force_std"].double().numpy() * _EV_PER_MEV
