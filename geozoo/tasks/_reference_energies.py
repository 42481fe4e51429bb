"""Reference energies of a potential, and the compositions that they are valid for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.molecules.atom_energies import (
    COMPOSITIONS,
    PREFIX,
    column_numbers,
    composition_span,
    compositions_of,
    count_elements,
    is_determined,
)
from geozoo.tasks._compositions import column_energies, undetermined
from geozoo.tasks._shares import graphs_of
from geozoo.tasks.geometric import GeometricTask

STATISTICS = ("energy_shift", "energy_scale")
#: Buffers missing from weights of earlier versions.
LATER_BUFFERS = ("atom_energies", "composition_span", "shift_composition")


class ReferencedTask(GeometricTask):
    """Base of `Potential`: free-atom energies, shift and scale as float64 buffers.

    Subclasses call `keep_references` in their constructor.
    """

    energy_shift: Tensor
    energy_scale: Tensor
    atom_energies: Tensor
    composition_span: Tensor
    shift_composition: Tensor
    known_compositions: Tensor
    any_composition: bool

    def check_precision(self) -> None:
        """Check that forces and total energies can be computed.

        Raises:
            RuntimeError: In ``torch.inference_mode``, or if the statistics are not in float64.
        """
        if torch.is_inference_mode_enabled():
            raise RuntimeError(
                "forces are gradients, which torch.inference_mode does not allow: "
                "set inference_mode=False in the Trainer"
            )
        if self.energy_shift.dtype != torch.float64:
            raise RuntimeError(
                "the energy statistics must be float64, which total energies require, got "
                f"{self.energy_shift.dtype}: use trainer.precision=bf16-mixed (or 32-true) instead "
                "of a 'true' half precision"
            )

    def keep_references(self, spec: GeometricSpec, *, any_composition: bool) -> None:
        """Register the statistics of the training data as buffers.

        Args:
            spec: the data specification.
            any_composition: see `Potential`.
        """
        for name in STATISTICS:
            value = torch.tensor(spec.statistics[name], dtype=torch.float64)
            self.register_buffer(name, value)
        self.any_composition = any_composition
        # One entry per column of x; the span is the whole space until `prepare` sees training data.
        self.register_buffer("atom_energies", column_energies(spec))
        span = torch.eye(spec.node_channels, dtype=torch.float64)
        self.register_buffer("composition_span", span)
        self.register_buffer("shift_composition", span.new_zeros(spec.node_channels))
        known = torch.tensor(spec.statistics.get(COMPOSITIONS, []), dtype=torch.float64)
        known = known.reshape(-1, spec.node_channels)
        self.register_buffer("known_compositions", known, persistent=False)
        self.register_load_state_dict_pre_hook(_complete_state)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Find the compositions with determined energies, and see `GraphTask.prepare`.

        Raises:
            ValueError: If the validation or test split contains compositions whose energies the
                training split does not determine.
        """
        store, splits = graphs_of(datamodule.store), datamodule.splits
        if self.spec.elements and "x" in store.node:
            self._learn_compositions(compositions_of(store)[splits["train"]])
            for part in ("val", "test"):
                self.check_part(datamodule, part)
        return super().prepare(datamodule, num_processes)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Raise an error if a split contains compositions with undetermined energies.

        Args:
            datamodule: the data.
            part: the split, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If the training split does not determine the energy of a composition, and
                see `GeometricTask.check_part`.
        """
        store = graphs_of(datamodule.store)
        if self.spec.elements and "x" in store.node:
            compositions = compositions_of(store)[datamodule.splits[part]]
            x, z = store.node["x"], store.node.get("z")
            self.check_compositions(compositions, f"the {part} split", x, z)
        super().check_part(datamodule, part)

    def _learn_compositions(self, trained: Tensor) -> None:
        given = self.spec.record.files.energy_reference in ("given", "isolated atoms")
        has_shift = float(self.energy_shift) != 0.0
        is_bare = not has_shift and not any(key.startswith(PREFIX) for key in self.spec.statistics)
        if given or is_bare:
            # Given free-atom energies are valid for all compositions of the training elements. So
            # is the network's own sum over atoms if nothing is added to it.
            self.composition_span.copy_(torch.diag(trained.any(0).to(trained.dtype)))
            return
        if has_shift:
            # There is one shift per graph, so sums and multiples of compositions would have another
            # number of shifts. Data that list their compositions are restricted to these.
            self.shift_composition.copy_(trained[0])
        self.composition_span.copy_(composition_span(trained - self.shift_composition.cpu()))

    def check_compositions(
        self, compositions: Tensor, where: str, x: Tensor, z: Tensor | None
    ) -> None:
        """Raise an error for compositions with undetermined energies.

        Args:
            compositions: number of atoms per column of ``x`` in each graph ``[G, C]``.
            where: description of the graphs for the message.
            x: one-hot elements of these atoms, or of a superset.
            z: atomic numbers of the same atoms, which identify elements not in the training split.
        """
        if self.any_composition:
            return
        compositions = compositions.to(self.composition_span.device)
        fits = self.is_determined(compositions)
        if bool(fits.all()):
            return
        numbers = column_numbers(self.spec.elements, x, z)
        odd, is_listed = compositions[~fits], len(self.known_compositions) > 0
        raise ValueError(
            f"{where} contains {undetermined(odd, self.spec.elements, numbers, is_listed)}"
        )

    def is_determined(self, compositions: Tensor) -> Tensor:
        """Whether training determines the energy of each composition ``[G, C]``; bool ``[G]``."""
        return is_determined(
            compositions, self.composition_span, self.shift_composition, self.known_compositions
        )

    def earlier_state(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """See `GraphTask.earlier_state`; free-atom energies were stored only in the statistics."""
        state = {name: getattr(self, name) for name in LATER_BUFFERS}
        if data:
            spec = GeometricSpec.from_dict(data)
            assert isinstance(spec, GeometricSpec)  # a potential has no other data
            state["atom_energies"] = column_energies(spec)
        return state

    def atom_energy(self, batch: GraphBatch) -> Tensor:
        """Sum of free-atom energies in meV of each graph ``[G]``, in float64."""
        composition = self.composition(batch)
        if composition is None:
            return self.energy_shift.new_zeros(batch.num_graphs)
        return composition @ self.atom_energies

    def composition(self, batch: GraphBatch) -> Tensor | None:
        """Atoms of each element in each graph ``[G, C]``; None if ``x`` does not hold elements."""
        x = batch.get("x")
        if x is None or not self.spec.elements:
            return None
        return count_elements(x, batch.batch, batch.num_graphs)

    def offset(self, batch: GraphBatch, composition: Tensor | None = None) -> Tensor:
        """The energy of each graph in meV without the network's contribution ``[G]``."""
        if composition is None:
            return self.atom_energy(batch) + self.energy_shift
        return composition @ self.atom_energies + self.energy_shift

    def offset_of_data(self, batch: GraphBatch) -> Tensor:
        """As `offset`, by the statistics of the training data, if they hold energies of atoms."""
        composition = self.composition(batch)
        has_atoms = any(name.startswith(PREFIX) for name in self.spec.statistics)
        if composition is None or not has_atoms:
            return self.offset(batch, composition)
        energies = column_energies(self.spec).to(composition.device)
        return composition @ energies + self.spec.statistics["energy_shift"]


def _complete_state(task: ReferencedTask, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Add the buffers that weights of earlier versions lack."""
    for name in LATER_BUFFERS:
        state.setdefault(prefix + name, getattr(task, name))
