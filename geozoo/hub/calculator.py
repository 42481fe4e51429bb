"""Trained potentials as ASE calculators: relaxation, molecular dynamics, vibrations."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from torch import Tensor

from geozoo.contracts import supports_cells
from geozoo.data import GeometricSpec, structure_of
from geozoo.data.molecules._electronic_states import state_of
from geozoo.hub._skin import SkinNeighbors
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.loading import TrainedModel, load
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store
from geozoo.tasks import Potential

_EV_PER_MEV = 1e-3
#: Properties of ASE by quantity, for models that predict them.
_FURTHER = {"atom_energy": "energies", "dipole": "dipole"}


class GeozooCalculator(Calculator):
    """Energies in eV, conservative forces in eV/angstrom, and stress in eV/angstrom^3.

    Forces and stress are exact derivatives of the energy, so molecular dynamics conserves energy up
    to time-step and rounding errors. Periodic structures require a model with a cutoff. Stress is
    that of structures periodic in three directions; slabs, wires and molecules have no volume.
    Models with outputs per atom also have ``energies`` of atoms in eV, whose sum is the energy;
    those trained with ``task.dipole_weight`` the ``dipole`` of molecules in e angstrom, about the
    mean position of charged ones.

    With several models, all results are means, and ``results`` also holds ``energy_std``,
    ``forces_std`` and ``stress_std``, the standard deviations over the models.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics and finite differences; None: the
            precision the model was trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: distance in angstrom beyond the cutoff within which neighbours are kept; they are
            searched again when an atom has moved by half of it, or the cell has changed. Results
            do not depend on it.
        options: arguments of ASE's ``Calculator``.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model is not a potential, ``dtype`` is unknown, or ``skin`` is negative.

    A charge or spin that is an input of the model is read from ``atoms.info["charge"]`` and
    ``atoms.info["spin"]`` (multiplicity), by the names that structure files may use.

    ``atoms.calc = GeozooCalculator("runs/my_model")`` is all that an ASE script needs. For systems
    of hundreds of atoms or more on a CPU, `geozoo.machine.freed_memory.keep_freed_memory` at the
    start of the script may save time, at a higher peak memory.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self,
        model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
        *,
        device: torch.device | str = "cpu",
        dtype: str | None = None,
        any_composition: bool = False,
        skin: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if dtype not in (None, "float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
        if not 0 <= skin < math.inf:
            raise ValueError(f"skin must be a distance of at least 0 in angstrom, got {skin!r}")
        self.model: TrainedModel | Ensemble = (
            copy.deepcopy(model)
            if isinstance(model, (TrainedModel, Ensemble))
            else load(model, dtype=None if dtype is None else getattr(torch, dtype))
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
        self.neighbors = _skin_of(self.model, skin)
        further = [name for key, name in _FURTHER.items() if key in self.model.units]
        self.implemented_properties = [*type(self).implemented_properties, *further]

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation; also a charge or spin in ``atoms.info``.

        Args:
            atoms: the structure.
            tol: changes up to this size do not count.
        """
        changes: list[str] = super().check_state(atoms, tol)
        if not changes and state_of(self.atoms) != state_of(atoms):
            changes.append("info")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results``; ``free_energy`` equals the energy.

        Raises:
            PropertyNotImplementedError: If stress is requested for a structure that has no volume,
                a dipole for a periodic one, or a property that the model does not predict.
            ValueError: If the structure is periodic and the model has no cutoff, it contains
                elements absent from the training set, its composition has an energy that the
                training set does not determine, or its charge or spin is missing or not as in
                training.
        """
        super().calculate(atoms, properties, system_changes)
        unsupported = sorted(set(properties) - set(self.implemented_properties))
        if unsupported:
            raise PropertyNotImplementedError(
                f"{self.model.name} predicts {', '.join(self.implemented_properties)}, not "
                f"{', '.join(unsupported)}"
            )
        if "dipole" in properties and self.atoms.pbc.any():
            raise PropertyNotImplementedError(
                "a dipole requires an isolated structure, got pbc "
                f"{self.atoms.pbc.tolist()}: it is not defined along periodic directions"
            )
        if "stress" in properties and not self.atoms.pbc.all():
            raise PropertyNotImplementedError(
                "stress requires a structure that is periodic in three directions, got pbc "
                f"{self.atoms.pbc.tolist()}: slabs, wires and molecules have no volume"
            )
        spec = self.model.spec
        assert isinstance(spec, GeometricSpec)  # that of a potential
        store = structure_store(spec, [structure_of(self.atoms, "the structure")])
        if self.neighbors is not None:
            # Positions in the store are centred, which would hide that all atoms moved.
            pos = torch.from_numpy(self.atoms.positions.astype("float64"))
            cell, pbc = store.graph.get("cell"), store.graph.get("pbc")
            store = store.with_table(self.neighbors.table(pos, cell, pbc))
        self.results = _results_of(predict_store(self.model, store))


def _skin_of(model: TrainedModel | Ensemble, skin: float) -> SkinNeighbors | None:
    """Kept neighbours, for models with a common cutoff."""
    networks = [member.model for member in model.members]
    cutoffs = {getattr(network, "radius", None) for network in networks}
    radius = cutoffs.pop()
    if cutoffs or radius is None or not all(map(supports_cells, networks)):
        return None
    return SkinNeighbors(float(radius), skin)


def _results_of(predicted: Mapping[str, Tensor]) -> dict[str, Any]:
    """Predictions of one structure in the units of ASE."""
    results: dict[str, Any] = {"energy": float(predicted["energy"][0]) * _EV_PER_MEV}
    # ASE's optimisers and finite differences request the free energy, consistent with forces.
    results["free_energy"] = results["energy"]
    results["forces"] = predicted["force"].double().numpy() * _EV_PER_MEV
    if "energy_std" in predicted:
        results["energy_std"] = float(predicted["energy_std"][0]) * _EV_PER_MEV
        results["forces_std"] = predicted["force_std"].double().numpy() * _EV_PER_MEV
    for name in ("stress", "stress_std"):
        if name in predicted and not bool(predicted[name].isnan().any()):
            stress = predicted[name][0].double().numpy() * _EV_PER_MEV
            results[name] = full_3x3_to_voigt_6_stress(stress)
    for key, suffix in product(_FURTHER, ("", "_std")):
        value = predicted.get(key + suffix)
        if value is not None and not bool(value.isnan().any()):
            rows, name = value.double().numpy(), _FURTHER[key] + suffix
            results[name] = rows[0] if key == "dipole" else rows * _EV_PER_MEV
    return results
