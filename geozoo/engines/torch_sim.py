"""Trained potentials in torch-sim: dynamics and relaxation of many structures at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_sim.models.interface import ModelInterface
from torch_sim.state import SimState

from geozoo.engines.evaluator import PotentialEvaluator
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.hub.loading import TrainedModel

#: Outputs beyond energy and forces, if the model has them; all also with the suffix of a spread.
_FURTHER = ("stress", "energies", "dipole")


class GeozooModel(ModelInterface):
    """A trained potential as a model of torch-sim.

    The systems of a state are evaluated together, with the same results as one by one. Outputs are
    ``energy`` in eV, ``forces`` in eV/angstrom and ``stress`` in eV/angstrom^3, negative under
    compression; with models that predict them, ``energies`` of atoms in eV and ``dipole`` in e
    angstrom, which torch-sim keeps as extras of the state. Forces and stress are exact derivatives
    of the energy. With several models, outputs are means, and ``energy_std``, ``forces_std``, ...
    the standard deviations over the models; a single model whose uncertainty was computed
    (``geozoo uncertainty``) has ``energy_std``, too. All have the precision of the model.

    A charge or spin that is an input of the model is an extra of the state:
    ``torch_sim.io.atoms_to_state(atoms, device, dtype, system_extras_map={"charge": "charge",
    "spin": "spin"})`` reads it from ``atoms.info``, which torch-sim does not do by itself.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        device: device to evaluate the model on.
        dtype: precision of the model and of torch-sim's states, ``torch.float64`` for long
            dynamics; None: the precision the model was trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: distance in angstrom beyond the cutoff within which neighbours are kept. Results do
            not depend on it.
        forces_std: see `PotentialEvaluator`.
        largest_force: a force beyond this, in eV/angstrom, is an error, since such a simulation
            has left what potentials are trained for; None: no limit.
        largest_distance: an atom of systems without periodic directions that is farther than this
            from their middle, in angstrom, is an error: the system has flown apart; None: no limit.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model is not a potential, ``dtype`` is unknown, ``skin`` is negative, or
            ``largest_force`` or ``largest_distance`` is not positive.

    Attributes:
        evaluator: the potential.
        last_state: a copy of the last state that could be evaluated, to inspect or continue after
            an error; None before the first.
    """

    def __init__(
        self,
        model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        any_composition: bool = False,
        skin: float = 1.0,
        forces_std: bool = False,
        largest_force: float | None = 1000.0,
        largest_distance: float | None = 1000.0,
    ) -> None:
        super().__init__()
        limits = {"largest_force": largest_force, "largest_distance": largest_distance}
        for name, limit in limits.items():
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} must be positive or None, got {limit!r}")
        precision = None if dtype is None else str(dtype).removeprefix("torch.")
        self.evaluator = PotentialEvaluator(
            model, device=device, dtype=precision, any_composition=any_composition, skin=skin,
            forces_std=forces_std,
        )  # fmt: skip
        self.largest_force, self.largest_distance = largest_force, largest_distance
        self.last_state: SimState | None = None
        self._device, self._dtype = self.evaluator.device, self.evaluator.dtype
        self._compute_forces = True
        self._compute_stress = "stress" in self.evaluator.model.units
        # Without a cutoff, all atoms of a molecule interact.
        self._memory_scales_with = (
            "n_atoms" if self.evaluator.cutoff is None else "n_atoms_x_density"
        )

    def forward(self, state: SimState, **_: Any) -> dict[str, Tensor]:
        """Energy ``[S]``, forces ``[N, 3]``, and what else the model predicts.

        ``stress`` ``[S, 3, 3]`` is there if the systems are periodic in three directions; asking
        for it otherwise raises an error.

        Args:
            state: the systems; those of a state have the same periodic directions.

        Raises:
            ValueError: If the systems are periodic and the model has no cutoff, they contain
                elements absent from the training set, a composition has an energy that the
                training set does not determine, a charge or spin is missing or not as in training,
                positions, energies or forces are not finite, atoms are closer than 0.1 angstrom,
                or a force or distance exceeds its limit. A note of the error names ``last_state``.
        """
        try:
            self._check_distances(state)
            found = self._evaluated(state)
            self._check_forces(found["forces"], state)
        except ValueError as error:
            if self.last_state is not None:
                error.add_note("model.last_state is the last state that could be evaluated.")
            raise
        # Tensors of the state may be changed in place.
        self.last_state = state.clone()
        names = ("energy", "forces", *_FURTHER)
        kept = {
            name: value.to(state.device, self.dtype)
            for name, value in found.items()
            if name.removesuffix(SPREAD) in names
        }
        if self.compute_stress and bool(state.pbc.all()):
            return kept
        return _WithoutStress({name: kept[name] for name in kept if not name.startswith("stress")})

    @property
    def compute_stress(self) -> bool:
        """Whether outputs have a stress; set it to False for ``torch_sim.static`` of molecules."""
        return bool(self._compute_stress)

    @compute_stress.setter
    def compute_stress(self, value: bool) -> None:
        if value and "stress" not in self.evaluator.model.units:
            raise NotImplementedError(
                f"{self.evaluator.name} has no cutoff, so it predicts no stress"
            )
        self._compute_stress = value

    def _evaluated(self, state: SimState) -> dict[str, Tensor]:
        sizes = state.n_atoms_per_system
        given = {
            name: state.system_extras[name].reshape(-1)
            for name in ("charge", "spin")
            if name in state.system_extras
        }
        missing = [name for name in self.evaluator.state_inputs if name not in given]
        if missing:
            pairs = ", ".join(f'"{name}": "{name}"' for name in self.evaluator.state_inputs)
            raise ValueError(
                f"the state has no {' and no '.join(missing)}, which the model takes as input: "
                f"make it by torch_sim.io.atoms_to_state(..., system_extras_map={{{pairs}}})"
            )
        return self.evaluator.evaluate_batch(
            state.positions, state.atomic_numbers, sizes, state.row_vector_cell,
            state.pbc.expand(len(sizes), 3), **given,
        )  # fmt: skip

    def _check_forces(self, forces: Tensor, state: SimState) -> None:
        largest, where = _largest(forces, state)
        if self.largest_force is not None and largest > self.largest_force:
            raise ValueError(
                f"the force on {where} is {largest:.3g} eV/angstrom, more than "
                f"largest_force={self.largest_force:g}: the simulation is unstable, or the "
                "structure far from those of the training"
            )

    def _check_distances(self, state: SimState) -> None:
        if self.largest_distance is None or bool(state.pbc.any()):
            return
        system, sizes = state.system_idx, state.n_atoms_per_system
        middle = state.positions.new_zeros(len(sizes), 3).index_add(0, system, state.positions)
        largest, where = _largest(state.positions - (middle / sizes[:, None])[system], state)
        if largest > self.largest_distance:
            raise ValueError(
                f"{where} is {largest:.3g} angstrom from the middle of its system, more than "
                f"largest_distance={self.largest_distance:g}: the system has flown apart"
            )


def _largest(vectors: Tensor, state: SimState) -> tuple[float, str]:
    """The largest length ``[N, 3]``, and the atom that has it; 0 without atoms."""
    if not len(vectors):
        return 0.0, ""
    squared = vectors.square().sum(-1)
    atom = int(squared.argmax())
    system = int(state.system_idx[atom])
    first = int((state.system_idx < system).sum())
    return float(squared[atom]) ** 0.5, f"atom {atom - first} of system {system}"


class _WithoutStress(dict[str, Tensor]):
    """Outputs of systems without a volume; asking for their stress says why there is none."""

    def __missing__(self, name: str) -> Tensor:
        if name != "stress":
            raise KeyError(name)
        raise ValueError(
            "stress requires systems that are periodic in three directions, since slabs, wires and "
            "molecules have no volume, and model.compute_stress=True. torch_sim.static always asks "
            "for it unless model.compute_stress=False"
        )
