"""Networks that give one energy per atom: scaled by species and summed over each graph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphDataModule
from geozoo.data.molecules.atom_energies import FORCE_SCALE
from geozoo.tasks._reference_energies import ReferencedTask

ScaleBy = Literal["all", "species"]


class AtomOutputs(NamedTuple):
    """Outputs of a network with level ``"node"``, in normalised units.

    Attributes:
        energy: ``[G]``, the sum of ``atom_energy``.
        atom_energy: ``[N]``.
    """

    energy: Tensor
    atom_energy: Tensor


def combined(out: Any, inputs: Mapping[str, Any], factors: Tensor | None) -> AtomOutputs:
    """Sum the outputs of atoms over each graph.

    Args:
        out: output of the network, one row per atom.
        inputs: its keyword arguments.
        factors: ``[C]`` factor of the energies of each element; None: no factors.
    """
    atom_energy = out.scalar[:, 0]
    if factors is not None:
        species = inputs["x"][:, : len(factors)].argmax(1)
        atom_energy = atom_energy * factors.to(atom_energy.dtype).index_select(0, species)
    return AtomOutputs(sums(atom_energy, inputs["batch"], inputs["num_graphs"]), atom_energy)


def sums(values: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sums of rows ``[N, ...]`` over the nodes of each graph."""
    return values.new_zeros(num_graphs, *values.shape[1:]).index_add(0, batch, values)


class AtomResolvedTask(ReferencedTask):
    """Base of `Potential`: energies of atoms.

    Subclasses call `keep_atom_outputs` in their constructor, after `keep_references`.
    """

    species_scale: Tensor | None

    def keep_atom_outputs(self, spec: GeometricSpec, *, scale_by: ScaleBy) -> None:
        """Register the scale of each element as a buffer, if energies are scaled by species.

        Args:
            spec: the data specification.
            scale_by: see `Potential`.

        Raises:
            ValueError: If ``scale_by`` is unknown, the model does not give energies of atoms, or
                the elements of the data are not known.
        """
        if scale_by not in get_args(ScaleBy):
            raise ValueError(f"scale_by must be one of {get_args(ScaleBy)}, got {scale_by!r}")
        self.scale_by = scale_by
        self.register_buffer("species_scale", None)
        level = getattr(self.model, "level", None)
        self.is_by_atom = isinstance(level, str) and level == "node"
        if needs := _needs(scale_by):
            _check_level(self.model, needs, is_by_atom=self.is_by_atom)
        if scale_by == "species":
            self.species_scale = _species_scale(spec, self.energy_scale)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Check the statistics of the data, and see `ReferencedTask.prepare`.

        Raises:
            ValueError: If energies are scaled by species and no force on the atoms of an element
                is known; see also `ReferencedTask.prepare`.
        """
        self.check_atom_outputs()
        return super().prepare(datamodule, num_processes)

    def check_atom_outputs(self) -> None:
        """Check that the training data determine everything that this task learns per atom.

        Raises:
            ValueError: If energies are scaled by species and no force on the atoms of an element
                is known.
        """
        if self.scale_by != "species":
            return
        lacking = [z for z in self.spec.elements if z and _scale_of(self.spec, z) is None]
        if lacking:
            raise ValueError(
                "scale_by=species needs forces on atoms of every element in the training split, "
                f"but those with the atomic numbers {', '.join(map(str, lacking))} have no forces, "
                "or only zeros. Use scale_by=all"
            )

    @property
    def readout(self) -> Any:
        """Function of the outputs and inputs of a network; None if it gives sums of graphs."""
        return partial(combined, factors=self.atom_factors) if self.is_by_atom else None

    @property
    def atom_factors(self) -> Tensor | None:
        """Factor of the energies of atoms of each element ``[C]``; None: all are 1."""
        return None if self.species_scale is None else self.species_scale / self.energy_scale


def atom_arguments(arguments: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a model with the level that the options of a task need.

    Args:
        arguments: those of the data.
        node: config of the task.
    """
    return {**arguments, "level": "node"} if _needs(node.get("scale_by", "all")) else arguments


def _needs(scale_by: str) -> str:
    """The option that needs energies of atoms; empty if none does."""
    return "scale_by=species" if scale_by == "species" else ""


def _check_level(model: Any, needs: str, *, is_by_atom: bool) -> None:
    if not is_by_atom:
        raise ValueError(
            f"{needs} needs the energy of every atom: model must have level='node', got "
            f"{type(model).__name__} with level {getattr(model, 'level', None)!r}"
        )


def _scale_of(spec: GeometricSpec, number: int) -> float | None:
    return spec.statistics.get(f"{FORCE_SCALE}{number}")


def _species_scale(spec: GeometricSpec, default: Tensor) -> Tensor:
    """The scale of each column of ``x`` in meV; ``default`` for columns without forces.

    A model is not trained with those (`AtomResolvedTask.check_atom_outputs`), but it may be tested
    on data without forces, with the scales of its training.
    """
    if not spec.elements:
        raise ValueError(
            "scale_by=species needs data that state the element of every column of x "
            "(GeometricSpec.elements)"
        )
    found = [_scale_of(spec, number) if number else None for number in spec.elements]
    values = [float(default) if value is None else value for value in found]
    return torch.tensor(values, dtype=torch.float64)
