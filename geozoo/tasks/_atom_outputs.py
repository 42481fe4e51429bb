"""Tasks whose networks have outputs per atom: scales of elements, energies of atoms, dipoles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.molecules.atom_energies import FORCE_SCALE
from geozoo.tasks._atom_readout import TARGETS, combined, needing_option, where_known
from geozoo.tasks._reference_energies import ReferencedTask
from geozoo.tasks._shares import graphs_of

_LOG = logging.getLogger(__name__)
#: Distance of atomic energies from the reference energies, in energy scales, that causes a warning.
_FAR = 30.0
#: Structures that suffice to notice it.
_SOME = 1000
ScaleBy = Literal["all", "species"]


class AtomResolvedTask(ReferencedTask):
    """Base of `Potential`: energies of atoms and dipoles.

    Subclasses call `keep_atom_outputs` in their constructor, after `keep_references`.

    Attributes:
        is_by_atom: whether the network has outputs per atom.
        has_dipole: whether the network has the outputs of dipoles.
        learned: those of `TARGETS` that the loss includes.
    """

    species_scale: Tensor | None
    dipole_scale: Tensor | None
    learned: tuple[str, ...]

    def keep_atom_outputs(
        self, spec: GeometricSpec, *, scale_by: ScaleBy, wanted: set[str], atomic_dipoles: bool
    ) -> None:
        """Register the scales of elements and dipoles as buffers, where they are needed.

        Args:
            spec: the data specification.
            scale_by: see `Potential`.
            wanted: those of `TARGETS` with a weight above 0.
            atomic_dipoles: see `Potential`.

        Raises:
            ValueError: If ``scale_by`` is unknown, the model does not have the outputs that the
                options need, or the elements of the data are not known.
        """
        if scale_by not in get_args(ScaleBy):
            raise ValueError(f"scale_by must be one of {get_args(ScaleBy)}, got {scale_by!r}")
        self.scale_by, self.wanted = scale_by, tuple(sorted(wanted))
        self.learned = tuple(name for name in self.wanted if TARGETS[name] in spec.units)
        self.has_dipole = "dipole" in wanted
        level = getattr(self.model, "level", None)
        self.is_by_atom = isinstance(level, str) and level == "node"
        self.register_buffer("species_scale", None)
        self.register_buffer("dipole_scale", None)
        options = {"scale_by": scale_by, **{f"{name}_weight": 1.0 for name in wanted}}
        if needs := needing_option(options):
            self._check_model(needs, atomic_dipoles=atomic_dipoles)
        if scale_by == "species":
            self.species_scale = _species_scale(spec, self.energy_scale)
        if self.has_dipole:
            scale = spec.statistics.get("dipole_scale") or 1.0
            self.dipole_scale = torch.tensor(scale, dtype=torch.float64)

    def _check_model(self, needs: str, *, atomic_dipoles: bool) -> None:
        name, level = type(self.model).__name__, getattr(self.model, "level", None)
        if not self.is_by_atom:
            raise ValueError(
                f"{needs} needs the energy of every atom: model must have level='node', got {name} "
                f"with level {level!r}"
            )
        channels = getattr(self.model, "out_channels", None)
        if self.has_dipole and channels not in (None, 2):
            raise ValueError(
                f"dipole_weight needs two scalar outputs per atom, energy and charge: {name} must "
                f"have out_channels=2, got {channels!r}"
            )
        if self.has_dipole and atomic_dipoles and getattr(self.model, "out_vectors", None) == 0:
            raise ValueError(
                f"dipole_weight needs a vector output per atom: {name} must have out_vectors=1, or "
                "set atomic_dipoles=false for dipoles of charges only"
            )

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Check the statistics of the data, and see `ReferencedTask.prepare`.

        Raises:
            ValueError: If the training split lacks what the options need, see
                `check_atom_outputs`; see also `ReferencedTask.prepare`.
        """
        self.check_atom_outputs()
        store, train = graphs_of(datamodule.store), datamodule.splits["train"]
        for name in self.learned:
            known = store.graph.get(f"has_{TARGETS[name]}")
            if known is not None and not bool(known[train].any()):
                raise ValueError(_lacking(name, "training split"))
        if "atom_energy" in self.learned:
            self._warn_of_offsets(datamodule.store.gather(train[:_SOME]).to(self.device))
        return super().prepare(datamodule, num_processes)

    def _warn_of_offsets(self, batch: GraphBatch) -> None:
        """Warn of atomic energies far from the reference energies, as a fit may leave them."""
        known = self.known_atom_targets(batch)["atom_energy"]
        apart = (known - self.atom_offset(batch)).abs().nanmean()
        if apart > _FAR * self.energy_scale:
            _LOG.warning(
                "the energies of atoms differ from the reference energies of their elements by "
                "%.4g meV on average, %.0f times the energy scale, which a network learns poorly: "
                "set the reference energies with dataset.atom_energies", apart,
                apart / self.energy_scale,
            )  # fmt: skip

    def check_atom_outputs(self) -> None:
        """Check that the training data determine everything that is learned per atom.

        Raises:
            ValueError: If energies are scaled by species and no force on the atoms of an element
                is known, or a target with a weight above 0 is missing.
        """
        for name in self.wanted:
            if name not in self.learned:
                raise ValueError(_lacking(name, "dataset"))
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
        if not self.is_by_atom:
            return None
        return partial(combined, factors=self.atom_factors, has_dipole=self.has_dipole)

    @property
    def atom_factors(self) -> Tensor | None:
        """Factor of the energies of atoms of each element ``[C]``; None: all are 1."""
        return None if self.species_scale is None else self.species_scale / self.energy_scale

    def quantity_units(self) -> dict[str, str]:
        """See `GraphTask.quantity_units`; with all quantities that are predicted per atom."""
        units = super().quantity_units()
        if self.is_by_atom:
            units.setdefault("atom_energy", self.spec.units.get("energy", ""))
        if self.has_dipole:
            units.setdefault("dipole", "e*angstrom")
        return units

    def quantity_levels(self) -> dict[str, str]:
        """See `GraphTask.quantity_levels`; with all quantities that are predicted per atom."""
        own = {"atom_energy": "node"} if self.is_by_atom else {}
        return super().quantity_levels() | own

    def atom_offset(self, batch: GraphBatch) -> Tensor:
        """The energy of each atom in meV without the network's contribution ``[N]``, in float64.

        The free-atom energy of its element, and an equal part of the shift of its graph.
        """
        part = (self.energy_shift / batch.ptr.diff()).index_select(0, batch.batch)
        if not self.spec.elements:
            return part
        return part + batch.x.to(part.dtype) @ self.atom_energies

    def normalised(self, values: Mapping[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
        """Learned energies of atoms and dipoles in normalised units, in float64.

        Args:
            values: ``atom_energy`` and ``dipole`` in the units of the dataset.
            batch: the graphs.
        """
        found = {}
        if "atom_energy" in self.learned:
            apart = values["atom_energy"].double() - self.atom_offset(batch)
            found["atom_energy"] = apart / self.energy_scale
        if "dipole" in self.learned and self.dipole_scale is not None:
            found["dipole"] = values["dipole"].double() / self.dipole_scale
        return found

    def atom_targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The learned targets per atom and dipoles; 0 where unknown."""
        return {name: getattr(batch, TARGETS[name]) for name in self.learned}

    def known_atom_targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """As `atom_targets`, NaN where unknown."""
        targets = self.atom_targets(batch)
        for name, values in targets.items():
            known = batch.get(f"has_{TARGETS[name]}")
            if known is not None:
                rows = known if name == "dipole" else known.index_select(0, batch.batch)
                targets[name] = where_known(values, rows)
        return targets

    def atom_predictions(self, found: Any, batch: GraphBatch) -> dict[str, Tensor]:
        """Energies of atoms and dipoles in the units of the dataset, in float64.

        Dipoles of periodic graphs are not defined: NaN.

        Args:
            found: derivatives in normalised units.
            batch: the graphs.
        """
        predicted = {}
        if found.atom_energy is not None:
            scaled = found.atom_energy.detach().double() * self.energy_scale
            predicted["atom_energy"] = scaled + self.atom_offset(batch)
        if found.dipole is not None and self.dipole_scale is not None:
            dipole = found.dipole.detach().double() * self.dipole_scale
            if (pbc := batch.get("pbc")) is not None:
                dipole = dipole.masked_fill(pbc.any(1, keepdim=True), torch.nan)
            predicted["dipole"] = dipole
        return predicted

    def atom_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Free-atom energies and zero dipoles, for the learned targets."""
        zeros = {"atom_energy": self.atom_offset, "dipole": lambda each: each.dipole * 0}
        return {name: zeros[name](batch) for name in self.learned}


def _lacking(name: str, what: str) -> str:
    field = TARGETS[name]
    return (
        f"{name}_weight is above 0, but the {what} has no {field} (dataset=extxyz reads them under "
        f"labels.{field}_key)"
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
