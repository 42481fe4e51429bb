"""Trained potentials as ASE calculators: relaxation, molecular dynamics, vibrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from geozoo.data import structure_of
from geozoo.data.molecules._electronic_states import state_of
from geozoo.engines._quantities import NAMES
from geozoo.engines.evaluator import Evaluation, PotentialEvaluator
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.hub.loading import TrainedModel

#: Quantities that some models predict, which ASE calls as an evaluation does.
_FURTHER = ("atom_energy", "dipole")


class GeozooCalculator(Calculator):
    """Energies in eV, conservative forces in eV/angstrom, and stress in eV/angstrom^3.

    Forces and stress are exact derivatives of the energy, so molecular dynamics conserves energy up
    to time-step and rounding errors. Periodic structures require a model with a cutoff. Stress is
    that of structures periodic in three directions; slabs, wires and molecules have no volume.
    Models with outputs per atom also have ``energies`` of atoms in eV, whose sum is the energy;
    those trained with ``task.dipole_weight`` the ``dipole`` of molecules in e angstrom, about the
    mean position of charged ones.

    With several models, all results are means, and ``results`` also holds ``energy_std``,
    ``forces_std`` and ``stress_std``, the standard deviations over the models. With a single model
    whose uncertainty was computed (``geozoo uncertainty``), ``results`` holds ``energy_std``, and
    ``forces_std`` on request.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics and finite differences; None: the
            precision the model was trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: distance in angstrom beyond the cutoff within which neighbours are kept; they are
            searched again when an atom has moved by half of it, or less if the cell has changed.
            Results do not depend on it.
        forces_std: see `PotentialEvaluator`.
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
        forces_std: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.evaluator = PotentialEvaluator(
            model, device=device, dtype=dtype, any_composition=any_composition, skin=skin,
            forces_std=forces_std,
        )  # fmt: skip
        units = self.evaluator.model.units
        further = [NAMES[quantity] for quantity in _FURTHER if quantity in units]
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
                f"{self.evaluator.name} predicts {', '.join(self.implemented_properties)}, not "
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
        structure = structure_of(self.atoms, "the structure")
        self.results = _results_of(self.evaluator.evaluate_many([structure])[0])


def calculator(
    model: TrainedModel | Ensemble | str | Path | Sequence[str | Path], **options: Any
) -> GeozooCalculator:
    """A trained potential as a calculator of ASE, see `GeozooCalculator`."""
    return GeozooCalculator(model, **options)


def _results_of(found: Evaluation) -> dict[str, Any]:
    """An evaluation by the names of ASE."""
    # ASE's optimisers and finite differences request the free energy, consistent with forces.
    results: dict[str, Any] = {
        "energy": found.energy, "free_energy": found.energy, "forces": found.forces,
        "stress": found.stress, "energies": found.energies, "dipole": found.dipole,
    }  # fmt: skip
    spread = {name: value for name, value in found.spread.items() if name != "virial"}
    results |= {f"{name}{SPREAD}": value for name, value in spread.items()}
    for name in ("stress", f"stress{SPREAD}"):
        if results.get(name) is not None:
            results[name] = full_3x3_to_voigt_6_stress(results[name])
    return {name: value for name, value in results.items() if value is not None}
